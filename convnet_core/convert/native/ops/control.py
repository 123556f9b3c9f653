"""Branches and loops: operators with subgraphs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from convnet_core.convert.native.helpers.loops import MOST_UNROLLED, State, run_loop, run_steps, unroll
from convnet_core.convert.native.helpers.tensors import rank_of, shape_of, static_value
from convnet_core.convert.native.ir import Graph
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.registry import handles
from convnet_core.errors import ConversionError
from convnet_core.language import _

RunSubgraph = Callable[..., list[Any]]


@handles("If", 1, 11, 13, 16, 19, 21, 23, 24, 25)
def if_(condition: Any, *, then_branch: Graph, else_branch: Graph, run: RunSubgraph) -> Any:
    static_condition = static_value(condition)
    if static_condition is not None:
        return tuple(run(then_branch if static_condition.item() else else_branch, {}))
    return tuple(
        tf.cond(
            tf.reshape(condition, []),
            lambda: [as_tensors(item) for item in run(then_branch, {})],
            lambda: [as_tensors(item) for item in run(else_branch, {})],
        )
    )


def as_tensors(value: Any) -> Any:
    """Convert a value, or each item of a sequence, to tensors."""
    return [as_tensors(item) for item in value] if isinstance(value, list) else tf.convert_to_tensor(value)


@handles("Loop", 1, 11, 13, 16, 19, 21, 23, 24, 25)
def loop(trips: Any, condition: Any, *state: Any, body: Graph, run: RunSubgraph) -> Any:
    names = [info.name for info in body.inputs]
    first = np.array(True) if condition is None else condition
    count, start = static_value(trips), static_value(first)
    stops = not _never_stops(body)

    def step(number: Any, go_on: Any, state: State) -> tuple[Any, State, list[Any]]:
        results = run(body, dict(zip(names, [number, go_on, *state], strict=True)))
        return results[0], results[1 : 1 + len(state)], results[1 + len(state) :]

    sequences = any(isinstance(item, list) for item in state)
    if count is not None and start is not None and not stops and (sequences or count.item() <= MOST_UNROLLED):
        last, outputs = unroll(step, list(state), int(count.item()) if start.item() else 0)
        stacked = [tf.stack(list(items)) for items in zip(*outputs, strict=True)]
        return (*last, *(stacked or _empty_outputs(body, 1 + len(state))))
    if sequences:
        raise ConversionError(_("a loop modifies a sequence, and the number of iterations is unknown"))
    last, stacked = run_loop(step, list(state), None if trips is None else tf.reshape(trips, []), first, stops=stops)
    return (*last, *stacked)


def _never_stops(body: Graph) -> bool:
    """Whether no step of a loop changes its condition."""
    producers = {name: node for node in body.nodes for name in node.outputs}
    name = body.outputs[0]
    while name in producers and producers[name].op in ("Identity", "Cast"):
        name = producers[name].inputs[0]
    if name in producers and producers[name].op == "Constant":
        return bool(np.all(producers[name].attributes.get("value", False)))
    return name == body.inputs[1].name or bool(np.all(body.constants.get(name, False)))


def _empty_outputs(body: Graph, start: int) -> list[Any]:
    """Empty scan outputs for a loop without iterations, with inferred dtypes and shapes."""
    infos = [body.infos.get(name) for name in body.outputs[start:]]
    if any(info is None or info.shape is None for info in infos):
        raise ConversionError(_("a loop without iterations, and the shape of its outputs is unknown"))
    return [np.zeros((0, *(size or 0 for size in info.shape or ())), info.dtype) for info in infos if info]


@handles("Scan", 8)
def scan_8(
    lengths: Any, *inputs: Any, body: Graph, num_scan_inputs: int, directions: list[int] | None = None, run: RunSubgraph
) -> Any:
    """Scan each batch item separately."""
    batch = shape_of(inputs[0])[0]
    if lengths is not None or not isinstance(batch, int):
        raise ConversionError(_("Scan-8 is supported only for a known batch size and without sequence lengths"))
    results = [
        scan(
            *(item[index] for item in inputs),
            body=body,
            num_scan_inputs=num_scan_inputs,
            scan_input_directions=directions,
            run=run,
        )
        for index in range(batch)
    ]
    return tuple(tf.stack(list(items)) for items in zip(*results, strict=True))


@handles("Scan", 9, 11, 16, 19, 21, 23, 24, 25)
def scan(
    *inputs: Any,
    body: Graph,
    num_scan_inputs: int,
    scan_input_axes: list[int] | None = None,
    scan_input_directions: list[int] | None = None,
    scan_output_axes: list[int] | None = None,
    scan_output_directions: list[int] | None = None,
    run: RunSubgraph,
) -> Any:
    names = [info.name for info in body.inputs]
    state = list(inputs[: len(inputs) - num_scan_inputs])
    scan_outputs = len(body.outputs) - len(state)
    in_axes, input_directions = scan_input_axes or [0] * num_scan_inputs, scan_input_directions or [0] * num_scan_inputs
    out_axes, output_directions = scan_output_axes or [0] * scan_outputs, scan_output_directions or [0] * scan_outputs
    items = [
        _reverse_if(_move_axis(item, axis % rank_of(item), 0), direction)
        for item, axis, direction in zip(inputs[len(state) :], in_axes, input_directions, strict=True)
    ]

    def step(number: Any, go_on: Any, state: State) -> tuple[Any, State, list[Any]]:
        slices = [tf.gather(item, number) for item in items]
        results = run(body, dict(zip(names, [*state, *slices], strict=True)))
        return go_on, results[: len(state)], results[len(state) :]

    state, stacked = run_steps(step, state, shape_of(items[0])[0])
    return (
        *state,
        *(
            _move_axis(_reverse_if(item, direction), 0, axis % rank_of(item))
            for item, axis, direction in zip(stacked, out_axes, output_directions, strict=True)
        ),
    )


def _reverse_if(x: Any, backward: int) -> Any:
    return tf.reverse(x, [0]) if backward else x


def _move_axis(x: Any, source: int, target: int) -> Any:
    """Move one axis to another position."""
    order = [axis for axis in range(rank_of(x)) if axis != source]
    order.insert(target, source)
    return x if source == target else tf.transpose(x, order)
