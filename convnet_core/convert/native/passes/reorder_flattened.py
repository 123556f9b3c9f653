"""Reorder the weights of a linear layer after a flattening, instead of transposing its input on each run.

PyTorch flattens [n, c, h, w] with the channel varying slowest, which blocks the transpose from [n, h, w, c]. Reordering
the weight rows to [h, w, c] makes that transpose unnecessary.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import numpy as np

from convnet_core.convert.native.ir import Graph, Node, use_counts
from convnet_core.convert.native.passes.operator_kinds import UNARY
from convnet_core.convert.tensor_location import TensorLocation
from convnet_core.tensors.arrays import Array

_LINEAR = {"Gemm", "MatMul"}


def reorder_flattened(graph: Graph) -> Graph:
    """Remove transposes before a flattening that feeds a linear layer."""
    producers = {name: node for node in graph.nodes for name in node.outputs}
    counts = use_counts(graph)
    constants, locations, changed = dict(graph.constants), dict(graph.locations), {}
    for node in graph.nodes:
        if (match := _match_flattening(node, graph, producers, counts)) is None:
            continue
        flatten, transpose = match
        info = graph.infos[flatten.inputs[0]]
        assert info.shape is not None, "checked by _flattens"
        weights = f"{node.inputs[1]}|last"
        rows_first = not node.attributes.get("transB")
        perm = transpose.attributes["perm"]
        constants[weights] = _reorder(graph.constants[node.inputs[1]], info.shape[1:], perm, rows_first)
        sizes = [info.shape[perm.index(axis)] for axis in range(len(perm))]
        locations |= _locations(node, flatten, producers, weights, sizes, perm)
        changed[id(node)] = dataclasses.replace(node, inputs=(node.inputs[0], weights, *node.inputs[2:]))
        changed[id(flatten)] = dataclasses.replace(
            flatten, op="Flatten", version=13, inputs=transpose.inputs, attributes={"axis": 1}
        )
    nodes = tuple(changed.get(id(node), node) for node in graph.nodes)
    return dataclasses.replace(graph, nodes=nodes, constants=constants, locations=locations)


def _locations(
    node: Node, flatten: Node, producers: Mapping[str, Node], weights: str, sizes: list[int | None], perm: list[int]
) -> dict[str, TensorLocation]:
    """Locations of the flat values, from the flattening to the linear layer, and of the layer's weights."""
    split = tuple(size or 0 for size in sizes[1:])
    locations, name = {}, node.inputs[0]
    while True:
        locations[name] = TensorLocation(name, tuple(perm), split, axis=1)
        if name == flatten.outputs[0]:
            break
        name = producers[name].inputs[0]
    transpose = producers[flatten.inputs[0]]
    locations[transpose.outputs[0]] = TensorLocation(transpose.inputs[0], tuple(perm))
    rank = len(perm)
    if node.attributes.get("transB"):
        locations[node.inputs[1]] = TensorLocation(weights, tuple(perm), split, axis=1)
    else:
        locations[node.inputs[1]] = TensorLocation(weights, (*(axis - 1 for axis in perm[1:]), rank - 1), split, axis=0)
    return locations


def _match_flattening(
    node: Node, graph: Graph, producers: Mapping[str, Node], counts: Mapping[str, int]
) -> tuple[Node, Node] | None:
    """The flattening before a linear layer and the transpose before that, if neither has other uses, else None."""
    if node.op not in _LINEAR or node.domain or node.attributes.get("transA") or graph.rank(node.inputs[1]) != 2:
        return None
    if node.inputs[1] not in graph.constants:
        return None
    before = _sole_producer(node.inputs[0], producers, counts)
    while before is not None and before.op in UNARY and not before.domain:
        before = _sole_producer(before.inputs[0], producers, counts)
    if before is None or not _flattens(before, graph):
        return None
    transpose = _sole_producer(before.inputs[0], producers, counts)
    moves = transpose is not None and transpose.op == "Transpose" and transpose.attributes["perm"][0] == 0
    return (before, transpose) if transpose is not None and moves else None


def _sole_producer(name: str, producers: Mapping[str, Node], counts: Mapping[str, int]) -> Node | None:
    return producers.get(name) if counts[name] == 1 else None


def _flattens(node: Node, graph: Graph) -> bool:
    """Whether a node flattens all dimensions but the first, and their sizes are known."""
    if node.op not in ("Flatten", "Reshape") or node.domain:
        return False
    shapes = [info.shape for name in (node.inputs[0], node.outputs[0]) if (info := graph.infos.get(name)) is not None]
    if len(shapes) != 2 or shapes[0] is None or shapes[1] is None or len(shapes[0]) < 2 or len(shapes[1]) != 2:
        return False
    sizes = [size for size in shapes[0][1:] if size]
    return len(sizes) == len(shapes[0]) - 1 and shapes[1][1] == math.prod(sizes)


def _reorder(weights: Array, shape: tuple[int | None, ...], perm: list[int], rows_first: bool) -> Array:
    """Reorder weights for values flattened before `perm`, which produced `shape` (without n)."""
    order = np.arange(weights.shape[0 if rows_first else 1]).reshape([size or 0 for size in shape])
    order = order.transpose([perm[1:].index(axis) for axis in range(1, len(perm))]).ravel()
    return np.ascontiguousarray(weights[order] if rows_first else weights[:, order])
