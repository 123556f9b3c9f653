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

_STEPS = 8
"""In a turn of a loop."""

Cell = Callable[[Any, State], State]
"""From what a step takes in, and the state before it, to the state after it. The first of the state is given out."""


@handles("RNN", 1, 7, 14, 22, static=("sequence_lens",))
def rnn(
    x: Any, w: Any, r: Any, b: Any = None, sequence_lens: Any = None, initial_h: Any = None, *,
    activations: list[str] | None = None, activation_alpha: list[float] | None = None,
    activation_beta: list[float] | None = None, clip: float | None = None, direction: str = "forward",
    hidden_size: int | None = None, layout: int = 0, output_sequence: int = 0,
) -> Any:  # fmt: skip
    functions = gates_of(["Tanh"], activations, activation_alpha, activation_beta, clip, direction)

    def layer(way: int, x: Any) -> tuple[Any, Cell]:
        """h' = f(x W + h R + b)"""
        (f,), weights = functions[way], r[way]
        taken = _times(x, w[way]) + _bias(b, way, 2, x)
        return taken, lambda item, state: [f(item + _times(state[0], weights))]

    return _layers(x, layer, sequence_lens, [initial_h], r, direction, layout)


@handles("GRU", 1, 3, 7, 14, 22, static=("sequence_lens",))
def gru(
    x: Any, w: Any, r: Any, b: Any = None, sequence_lens: Any = None, initial_h: Any = None, *,
    activations: list[str] | None = None, activation_alpha: list[float] | None = None,
    activation_beta: list[float] | None = None, clip: float | None = None, direction: str = "forward",
    hidden_size: int | None = None, layout: int = 0, linear_before_reset: int = 0, output_sequence: int = 0,
) -> Any:  # fmt: skip
    functions = gates_of(["Sigmoid", "Tanh"], activations, activation_alpha, activation_beta, clip, direction)
    size = size_of(r, -1)

    def layer(way: int, x: Any) -> tuple[Any, Cell]:
        """h' = (1 - z) g + z h, with z the update and r the reset gate"""
        f, g = functions[way]
        biases = tf.zeros([6 * size], x.dtype) if b is None else b[way]
        outer, inner = biases[: 3 * size], biases[3 * size :]
        late = inner[2 * size :]  # of the hidden gate: before the reset, or as all others
        outer += tf.concat([inner[: 2 * size], tf.zeros_like(late) if linear_before_reset else late], 0)
        update_reset, hidden = r[way][: 2 * size], r[way][2 * size :]

        def cell(item: Any, state: State) -> State:
            (h,) = state
            z, reset = tf.split(f(item[:, : 2 * size] + _times(h, update_reset)), 2, 1)
            past = reset * (_times(h, hidden) + late) if linear_before_reset else _times(reset * h, hidden)
            return [(1 - z) * g(item[:, 2 * size :] + past) + z * h]

        return _times(x, w[way]) + outer, cell

    return _layers(x, layer, sequence_lens, [initial_h], r, direction, layout)


@handles("LSTM", 1, 7, 14, 22, static=("sequence_lens",))
def lstm(
    x: Any, w: Any, r: Any, b: Any = None, sequence_lens: Any = None, initial_h: Any = None, initial_c: Any = None,
    p: Any = None, *,
    activations: list[str] | None = None, activation_alpha: list[float] | None = None,
    activation_beta: list[float] | None = None, clip: float | None = None, direction: str = "forward",
    hidden_size: int | None = None, input_forget: int = 0, layout: int = 0, output_sequence: int = 0,
) -> Any:  # fmt: skip
    functions = gates_of(["Sigmoid", "Tanh", "Tanh"], activations, activation_alpha, activation_beta, clip, direction)

    def layer(way: int, x: Any) -> tuple[Any, Cell]:
        """c' = f c + i g and h' = o tanh(c'); the peepholes `p` let the gates see c"""
        (f, g, h), weights = functions[way], r[way]
        see_i, see_o, see_f = (0.0, 0.0, 0.0) if p is None else tf.split(p[way], 3)

        def cell(item: Any, state: State) -> State:
            hidden, c = state
            i, o, forget, new = tf.split(item + _times(hidden, weights), 4, 1)
            i = f(i if p is None else i + see_i * c)
            forget = 1 - i if input_forget else f(forget if p is None else forget + see_f * c)
            c = forget * c + i * g(new)
            return [f(o if p is None else o + see_o * c) * h.unclipped(c), c]

        return _times(x, w[way]) + _bias(b, way, 2, x), cell

    return _layers(x, layer, sequence_lens, [initial_h, initial_c], r, direction, layout)


def _times(x: Any, weights: Any) -> Any:
    return tf.matmul(x, weights, transpose_b=True)


def _bias(b: Any, way: int, halves: int, x: Any) -> Any:
    """That of the input and that of the state added; 0 where there is none."""
    return tf.zeros([], x.dtype) if b is None else tf.add_n(tf.split(b[way], halves))


def _layers(
    x: Any, layer: Callable[[int, Any], tuple[Any, Cell]], lengths: Any, initial: list[Any], r: Any,
    direction: str, layout: int,
) -> tuple[Any, ...]:  # fmt: skip
    """One layer forward, backward, or both: all that it gives, and its last state."""
    if direction not in ("forward", "reverse", "bidirectional"):
        raise ConversionError(f"no direction {direction!r}")
    x = tf.convert_to_tensor(x)
    lengths = None if lengths is None else tf.cast(lengths, tf.int32)
    x = tf.transpose(x, [1, 0, 2]) if layout else x
    ways, _, size = shape_of(r)
    if layout:
        initial = [item if item is None else tf.transpose(item, [1, 0, 2]) for item in initial]
    given, last = [], []
    for way in range(ways):
        state = [
            tf.zeros(pack_sizes([size_of(x, 1), size]), x.dtype) if item is None else tf.convert_to_tensor(item)[way]
            for item in initial
        ]
        backwards = direction == "reverse" or way == 1
        taken, cell = layer(way, _reversed(x, lengths) if backwards else x)
        results, state = _sequence(taken, cell, lengths, state)
        given.append(_reversed(results, lengths) if backwards else results)
        last.append(state if lengths is None else _without_empty(state, lengths))
    states = [tf.stack(list(items), 1 if layout else 0) for items in zip(*last, strict=True)]
    whole = tf.stack(given, 1)
    return (tf.transpose(whole, [2, 0, 1, 3]) if layout else whole, *states)


def _without_empty(state: State, lengths: Any) -> State:
    """The last state with zeros for a sequence without a step, whatever its initial state: ONNX says nothing of it, and
    ONNX Runtime 1.32 gives zeros.
    """
    runs = (lengths > 0)[:, tf.newaxis]
    return [tf.where(runs, item, tf.zeros([], item.dtype)) for item in state]


def _reversed(x: Any, lengths: Any) -> Any:
    """The steps of each sequence in the other order; what comes after its end stays."""
    return tf.reverse(x, [0]) if lengths is None else reverse_steps(x, lengths)


def _sequence(taken: Any, cell: Cell, lengths: Any, state: State) -> tuple[Any, State]:
    """What each step gives, and the state after the last one of each sequence."""
    count = size_of(taken, 0)
    if not isinstance(count, int) or not 0 < count <= MOST_UNROLLED:
        return _in_turns(taken, cell, count, lengths, state)
    gifts = []
    for number in range(count):
        state, gift = _step(cell, number, taken[number], lengths, state)
        gifts.append(gift)
    return tf.stack(gifts), state


def _step(cell: Cell, number: Any, item: Any, lengths: Any, state: State) -> tuple[State, Any]:
    """The state after a step, and what it gives: zeros behind the end of a sequence."""
    after = cell(item, state)
    if lengths is None:
        return after, after[0]
    runs = (number < lengths)[:, tf.newaxis]
    gift = tf.where(runs, after[0], tf.zeros([], after[0].dtype))
    return [tf.where(runs, new, old) for new, old in zip(after, state, strict=True)], gift


def _in_turns(taken: Any, cell: Cell, count: Any, lengths: Any, state: State) -> tuple[Any, State]:
    """Some steps a turn, in a loop.

    The results are joined in each turn: TFLite keeps no list of tensors of a dynamic shape, which would be faster.
    """
    batch, size = size_of(taken, 1), shape_of(state[0])[-1]
    count = count if isinstance(count, int) else tf.cast(count, tf.int32)  # TFLite divides no 64-bit ints
    turns = -(-count // _STEPS)
    taken = tf.pad(taken, [[0, turns * _STEPS - count], [0, 0], [0, 0]])
    if lengths is None and not (isinstance(count, int) and count % _STEPS == 0):
        lengths = tf.fill(pack_sizes([batch]), count)

    def turn(number: Any, results: Any, state: Any) -> Any:
        state, gifts = list(state), []
        for place, item in enumerate(tf.unstack(tf.slice(taken, [number * _STEPS, 0, 0], [_STEPS, -1, -1]))):
            state, gift = _step(cell, number * _STEPS + place, item, lengths, state)
            gifts.append(gift)
        return number + 1, tf.concat([results, tf.stack(gifts)], 0), tuple(state)

    shapes = tuple(item.shape for item in state)
    _, results, state = tf.while_loop(
        lambda number, *_: number < turns,
        turn,
        (tf.constant(0), tf.zeros(pack_sizes([0, batch, size]), taken.dtype), tuple(state)),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, *shapes[0]]), shapes),
    )
    return results[:count], list(state)
