"""Steps that a model repeats: laid out one after the other where it is known how many, else a loop of TensorFlow's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from convnet_core.convert.native.lazy_tensorflow import tf

State = list[Any]
Step = Callable[[Any, Any, State], tuple[Any, State, list[Any]]]
"""From a step's number, whether to go on, and the state to the same after it and what the step gives."""

MOST_UNROLLED = 32
"""Steps that are laid out; TFLite and every optimiser do better without a loop, a long one would make a large graph."""


def unroll(step: Step, state: State, count: int) -> tuple[State, list[list[Any]]]:
    """The last state, and what each step gave. `step` has to tell at once whether to go on."""
    gifts = []
    for number in range(count):
        go_on, state, given = step(np.array(number, np.int64), np.array(True), state)
        gifts.append(given)
        if not bool(go_on):
            break
    return state, gifts


def run_steps(step: Step, state: State, count: Any) -> tuple[State, list[Any]]:
    """The last state, and what each step gave, stacked: laid out or in a loop, whichever suits their number."""
    if isinstance(count, int) and 0 < count <= MOST_UNROLLED:
        state, gifts = unroll(step, state, count)
        return state, [tf.stack(list(items)) for items in zip(*gifts, strict=True)]
    return run_loop(step, state, count, True, stops=False)


def run_loop(step: Step, state: State, count: Any, go_on: Any, *, stops: bool) -> tuple[State, list[Any]]:
    """The last state, and what the steps gave, stacked.

    `count` is None where only the steps say when to stop; `stops` is whether they may do so at all.
    """
    state = [tf.convert_to_tensor(item) for item in state]
    shapes, specs = _loop_shapes(step, state)
    fixed = count is not None and not stops
    size = tf.cast(count, tf.int32) if fixed else 0
    arrays = [tf.TensorArray(spec.dtype, size, not fixed, element_shape=spec.shape) for spec in specs]

    def more(number: Any, going: Any, *_: Any) -> Any:
        return going if count is None else tf.logical_and(going, number < tf.cast(count, tf.int64))

    def turn(number: Any, going: Any, state: Any, arrays: Any) -> Any:
        going, state, given = step(number, going, list(state))
        kept = [array.write(tf.cast(number, tf.int32), item) for array, item in zip(arrays, given, strict=True)]
        return number + 1, tf.reshape(going, []), tuple(tf.convert_to_tensor(item) for item in state), tuple(kept)

    scalar = tf.TensorShape([])
    _, _, state, arrays = tf.while_loop(
        more,
        turn,
        (tf.constant(0, tf.int64), tf.reshape(go_on, []), tuple(state), tuple(arrays)),
        shape_invariants=(scalar, scalar, tuple(shapes), tuple(tf.TensorShape(None) for _ in arrays)),
    )
    return list(state), [array.stack() for array in arrays]


def _loop_shapes(step: Step, state: State) -> tuple[list[Any], list[Any]]:
    """The shapes of the state that hold in every step, and what is given in each, from tracing a step apart."""
    shapes = [item.shape for item in state]

    def apart(number: Any, going: Any, state: State) -> Any:
        _, state, given = step(number, going, state)
        return [tf.convert_to_tensor(item) for item in state], [tf.convert_to_tensor(item) for item in given]

    while True:
        specs = [tf.TensorSpec(shape, item.dtype) for shape, item in zip(shapes, state, strict=True)]
        traced = tf.function(apart, autograph=False).get_concrete_function(
            tf.TensorSpec([], tf.int64), tf.TensorSpec([], tf.bool), specs
        )
        after, given = traced.structured_outputs
        wider = [old.most_specific_compatible_shape(new.shape) for old, new in zip(shapes, after, strict=True)]
        if [item.rank for item in wider] == [item.rank for item in shapes] and all(
            new.is_subtype_of(old) and old.is_subtype_of(new) for old, new in zip(shapes, wider, strict=True)
        ):
            return shapes, list(given)
        shapes = wider
