"""Repeated steps: unrolled if their number is known and small, else a TensorFlow loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from convnet_core.convert.native.lazy_tensorflow import tf

State = list[Any]
Step = Callable[[Any, Any, State], tuple[Any, State, list[Any]]]
"""From step number, continue flag and state to the new continue flag, new state and the step's outputs."""

MOST_UNROLLED = 32
"""Most steps to unroll. TFLite and optimizers prefer unrolled steps, but many would make the graph large."""


def unroll(step: Step, state: State, count: int) -> tuple[State, list[list[Any]]]:
    """Unroll steps; returns the last state and each step's outputs. `step` must return a known continue flag."""
    outputs = []
    for number in range(count):
        proceed, state, results = step(np.array(number, np.int64), np.array(True), state)
        outputs.append(results)
        if not bool(proceed):
            break
    return state, outputs


def run_steps(step: Step, state: State, count: Any) -> tuple[State, list[Any]]:
    """Run `count` steps, unrolled or in a loop. Returns the last state and the stacked outputs."""
    if isinstance(count, int) and 0 < count <= MOST_UNROLLED:
        state, outputs = unroll(step, state, count)
        return state, [tf.stack(list(items)) for items in zip(*outputs, strict=True)]
    return run_loop(step, state, count, True, stops=False)


def run_loop(step: Step, state: State, count: Any, proceed: Any, *, stops: bool) -> tuple[State, list[Any]]:
    """Run steps in a loop. Returns the last state and the stacked outputs.

    A `count` of None means that only the continue flag ends the loop; `stops` is whether the flag may change at all.
    """
    state = [tf.convert_to_tensor(item) for item in state]
    shapes, specs = _loop_shapes(step, state)
    fixed = count is not None and not stops
    size = tf.cast(count, tf.int32) if fixed else 0
    arrays = [tf.TensorArray(spec.dtype, size, not fixed, element_shape=spec.shape) for spec in specs]

    def should_continue(number: Any, proceed: Any, *_: Any) -> Any:
        return proceed if count is None else tf.logical_and(proceed, number < tf.cast(count, tf.int64))

    def iterate(number: Any, proceed: Any, state: Any, arrays: Any) -> Any:
        proceed, state, results = step(number, proceed, list(state))
        written = [array.write(tf.cast(number, tf.int32), item) for array, item in zip(arrays, results, strict=True)]
        return number + 1, tf.reshape(proceed, []), tuple(tf.convert_to_tensor(item) for item in state), tuple(written)

    scalar = tf.TensorShape([])
    _, _, state, arrays = tf.while_loop(
        should_continue,
        iterate,
        (tf.constant(0, tf.int64), tf.reshape(proceed, []), tuple(state), tuple(arrays)),
        shape_invariants=(scalar, scalar, tuple(shapes), tuple(tf.TensorShape(None) for _ in arrays)),
    )
    return list(state), [array.stack() for array in arrays]


def _loop_shapes(step: Step, state: State) -> tuple[list[Any], list[Any]]:
    """State shapes that hold in every step, and the specs of a step's outputs, found by tracing single steps."""
    shapes = [item.shape for item in state]

    def trace_step(number: Any, proceed: Any, state: State) -> Any:
        _, state, results = step(number, proceed, state)
        return [tf.convert_to_tensor(item) for item in state], [tf.convert_to_tensor(item) for item in results]

    while True:
        specs = [tf.TensorSpec(shape, item.dtype) for shape, item in zip(shapes, state, strict=True)]
        traced = tf.function(trace_step, autograph=False).get_concrete_function(
            tf.TensorSpec([], tf.int64), tf.TensorSpec([], tf.bool), specs
        )
        after, results = traced.structured_outputs
        wider = [old.most_specific_compatible_shape(new.shape) for old, new in zip(shapes, after, strict=True)]
        if [item.rank for item in wider] == [item.rank for item in shapes] and all(
            new.is_subtype_of(old) and old.is_subtype_of(new) for old, new in zip(shapes, wider, strict=True)
        ):
            return shapes, list(results)
        shapes = wider
