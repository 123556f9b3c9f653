"""Recurrent layers: RNN, GRU and LSTM."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from convnet_core.convert.native.helpers.loops import MOST_UNROLLED, State
from convnet_core.convert.native.helpers.tensors import pack_sizes, shape_of, size_of
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.ops.indexing import reverse_steps
from convnet_core.convert.native.ops.rnn_activations import gates_of
from convnet_core.convert.native.registry import handles
from convnet_core.errors import ConversionError
from convnet_core.language import _

_STEPS_PER_ITERATION = 8
"""Steps per loop iteration."""

Cell = Callable[[Any, State], State]
"""From a step's input and the old state to the new state, whose first item is the step's output."""


@handles("RNN", 1, 7, 14, 22, static=("sequence_lens",))
def rnn(
    x: Any, w: Any, r: Any, b: Any = None, sequence_lens: Any = None, initial_h: Any = None, *,
    activations: list[str] | None = None, activation_alpha: list[float] | None = None,
    activation_beta: list[float] | None = None, clip: float | None = None, direction: str = "forward",
    hidden_size: int | None = None, layout: int = 0, output_sequence: int = 0,
) -> Any:  # fmt: skip
    functions = gates_of(["Tanh"], activations, activation_alpha, activation_beta, clip, direction)

    def layer(side: int, x: Any) -> tuple[Any, Cell]:
        """h' = f(x W + h R + b)"""
        (f,), weights = functions[side], r[side]
        inputs = _multiply(x, w[side]) + _bias(b, side, 2, x)
        return inputs, lambda item, state: [f(item + _multiply(state[0], weights))]

    return _run_layer(x, layer, sequence_lens, [initial_h], r, direction, layout)


@handles("GRU", 1, 3, 7, 14, 22, static=("sequence_lens",))
def gru(
    x: Any, w: Any, r: Any, b: Any = None, sequence_lens: Any = None, initial_h: Any = None, *,
    activations: list[str] | None = None, activation_alpha: list[float] | None = None,
    activation_beta: list[float] | None = None, clip: float | None = None, direction: str = "forward",
    hidden_size: int | None = None, layout: int = 0, linear_before_reset: int = 0, output_sequence: int = 0,
) -> Any:  # fmt: skip
    functions = gates_of(["Sigmoid", "Tanh"], activations, activation_alpha, activation_beta, clip, direction)
    size = size_of(r, -1)

    def layer(side: int, x: Any) -> tuple[Any, Cell]:
        """h' = (1 - z) g + z h, with z the update and r the reset gate"""
        f, g = functions[side]
        biases = tf.zeros([6 * size], x.dtype) if b is None else b[side]
        outer, inner = biases[: 3 * size], biases[3 * size :]
        hidden_bias = inner[2 * size :]  # added before the reset, or like the other biases
        outer += tf.concat([inner[: 2 * size], tf.zeros_like(hidden_bias) if linear_before_reset else hidden_bias], 0)
        update_reset, hidden = r[side][: 2 * size], r[side][2 * size :]

        def cell(item: Any, state: State) -> State:
            (h,) = state
            z, reset = tf.split(f(item[:, : 2 * size] + _multiply(h, update_reset)), 2, 1)
            past = reset * (_multiply(h, hidden) + hidden_bias) if linear_before_reset else _multiply(reset * h, hidden)
            return [(1 - z) * g(item[:, 2 * size :] + past) + z * h]

        return _multiply(x, w[side]) + outer, cell

    return _run_layer(x, layer, sequence_lens, [initial_h], r, direction, layout)


@handles("LSTM", 1, 7, 14, 22, static=("sequence_lens",))
def lstm(
    x: Any, w: Any, r: Any, b: Any = None, sequence_lens: Any = None, initial_h: Any = None, initial_c: Any = None,
    p: Any = None, *,
    activations: list[str] | None = None, activation_alpha: list[float] | None = None,
    activation_beta: list[float] | None = None, clip: float | None = None, direction: str = "forward",
    hidden_size: int | None = None, input_forget: int = 0, layout: int = 0, output_sequence: int = 0,
) -> Any:  # fmt: skip
    functions = gates_of(["Sigmoid", "Tanh", "Tanh"], activations, activation_alpha, activation_beta, clip, direction)

    def layer(side: int, x: Any) -> tuple[Any, Cell]:
        """c' = f c + i g and h' = o tanh(c'); the peepholes `p` let the gates see c"""
        (f, g, h), weights = functions[side], r[side]
        see_i, see_o, see_f = (0.0, 0.0, 0.0) if p is None else tf.split(p[side], 3)

        def cell(item: Any, state: State) -> State:
            hidden, c = state
            i, o, forget, new = tf.split(item + _multiply(hidden, weights), 4, 1)
            i = f(i if p is None else i + see_i * c)
            forget = 1 - i if input_forget else f(forget if p is None else forget + see_f * c)
            c = forget * c + i * g(new)
            return [f(o if p is None else o + see_o * c) * h.unclipped(c), c]

        return _multiply(x, w[side]) + _bias(b, side, 2, x), cell

    return _run_layer(x, layer, sequence_lens, [initial_h, initial_c], r, direction, layout)


def _multiply(x: Any, weights: Any) -> Any:
    return tf.matmul(x, weights, transpose_b=True)


def _bias(b: Any, side: int, halves: int, x: Any) -> Any:
    """The sum of the input bias and the state bias; 0 if there is none."""
    return tf.zeros([], x.dtype) if b is None else tf.add_n(tf.split(b[side], halves))


def _run_layer(
    x: Any, layer: Callable[[int, Any], tuple[Any, Cell]], lengths: Any, initial: list[Any], r: Any,
    direction: str, layout: int,
) -> tuple[Any, ...]:  # fmt: skip
    """Run one layer forward, backward, or both. Returns all outputs and the last states."""
    if direction not in ("forward", "reverse", "bidirectional"):
        raise ConversionError(_("unknown direction {direction!r}", direction=direction))
    x = tf.convert_to_tensor(x)
    lengths = None if lengths is None else tf.cast(lengths, tf.int32)
    x = tf.transpose(x, [1, 0, 2]) if layout else x
    sides, _gates, size = shape_of(r)
    if layout:
        initial = [item if item is None else tf.transpose(item, [1, 0, 2]) for item in initial]
    outputs, last = [], []
    for side in range(sides):
        state = [
            tf.zeros(pack_sizes([size_of(x, 1), size]), x.dtype) if item is None else tf.convert_to_tensor(item)[side]
            for item in initial
        ]
        backward = direction == "reverse" or side == 1
        inputs, cell = layer(side, _reverse(x, lengths) if backward else x)
        results, state = _run_sequence(inputs, cell, lengths, state)
        outputs.append(_reverse(results, lengths) if backward else results)
        last.append(state if lengths is None else _clear_empty(state, lengths))
    states = [tf.stack(list(items), 1 if layout else 0) for items in zip(*last, strict=True)]
    stacked = tf.stack(outputs, 1)
    return (tf.transpose(stacked, [2, 0, 1, 3]) if layout else stacked, *states)


def _clear_empty(state: State, lengths: Any) -> State:
    """Set the last state of empty sequences to zero. ONNX does not specify it; ONNX Runtime 1.32 returns zeros."""
    runs = (lengths > 0)[:, tf.newaxis]
    return [tf.where(runs, item, tf.zeros([], item.dtype)) for item in state]


def _reverse(x: Any, lengths: Any) -> Any:
    """Reverse the steps of each sequence; values after its end stay unchanged."""
    return tf.reverse(x, [0]) if lengths is None else reverse_steps(x, lengths)


def _run_sequence(inputs: Any, cell: Cell, lengths: Any, state: State) -> tuple[Any, State]:
    """Run all steps. Returns their outputs and each sequence's last state."""
    count = size_of(inputs, 0)
    if not isinstance(count, int) or not 0 < count <= MOST_UNROLLED:
        return _run_in_loop(inputs, cell, count, lengths, state)
    outputs = []
    for number in range(count):
        state, output = _step(cell, number, inputs[number], lengths, state)
        outputs.append(output)
    return tf.stack(outputs), state


def _step(cell: Cell, number: Any, item: Any, lengths: Any, state: State) -> tuple[State, Any]:
    """Run one step. Returns the new state and the output, which is zero after the end of a sequence."""
    after = cell(item, state)
    if lengths is None:
        return after, after[0]
    runs = (number < lengths)[:, tf.newaxis]
    output = tf.where(runs, after[0], tf.zeros([], after[0].dtype))
    return [tf.where(runs, new, old) for new, old in zip(after, state, strict=True)], output


def _run_in_loop(inputs: Any, cell: Cell, count: Any, lengths: Any, state: State) -> tuple[Any, State]:
    """Run several steps per iteration of a loop.

    The results are concatenated in each iteration, because TFLite does not support the faster list of tensors when
    shapes are dynamic.
    """
    batch, size = size_of(inputs, 1), shape_of(state[0])[-1]
    count = count if isinstance(count, int) else tf.cast(count, tf.int32)  # TFLite cannot divide 64-bit integers
    iterations = -(-count // _STEPS_PER_ITERATION)
    inputs = tf.pad(inputs, [[0, iterations * _STEPS_PER_ITERATION - count], [0, 0], [0, 0]])
    if lengths is None and not (isinstance(count, int) and count % _STEPS_PER_ITERATION == 0):
        lengths = tf.fill(pack_sizes([batch]), count)

    def iterate(number: Any, results: Any, state: Any) -> Any:
        state, outputs = list(state), []
        for index, item in enumerate(
            tf.unstack(tf.slice(inputs, [number * _STEPS_PER_ITERATION, 0, 0], [_STEPS_PER_ITERATION, -1, -1]))
        ):
            state, output = _step(cell, number * _STEPS_PER_ITERATION + index, item, lengths, state)
            outputs.append(output)
        return number + 1, tf.concat([results, tf.stack(outputs)], 0), tuple(state)

    shapes = tuple(item.shape for item in state)
    _, results, state = tf.while_loop(
        lambda number, *_: number < iterations,
        iterate,
        (tf.constant(0), tf.zeros(pack_sizes([0, batch, size]), inputs.dtype), tuple(state)),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, *shapes[0]]), shapes),
    )
    return results[:count], list(state)
