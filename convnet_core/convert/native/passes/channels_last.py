"""Put the operators that look at neighbours in space into the layout that TensorFlow is fast in: channels last.

Each becomes an operator of the same name in `DOMAIN`, between two transposes, which `sink_transposes` then moves and
cancels. Its first input and output are [n, ..., channels]; all other inputs (scales, sizes, statistics) stay as ONNX
has them, but the weights of convolutions: [out, in, *kernel] becomes [*kernel, in, out], and those of transposed
convolutions, [in, out, *kernel], become [*kernel, out, in], which is TensorFlow's way for both.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from convnet_core.convert.native.ir import Graph, Info, Node
from convnet_core.convert.native.passes.fuse_channel_shuffle import OP as CHANNEL_SHUFFLE
from convnet_core.convert.tensor_location import TensorLocation

DOMAIN = "channels_last"

WEIGHTS = {"Conv": 1, "ConvTranspose": 1, "DeformConv": 1, "ConvInteger": 1, "QLinearConv": 3}
"""Which input holds the weights."""

_OPS = WEIGHTS.keys() | {
    "MaxPool",
    "AveragePool",
    "LpPool",
    "GlobalMaxPool",
    "GlobalAveragePool",
    "GlobalLpPool",
    "BatchNormalization",
    "InstanceNormalization",
    "GroupNormalization",
    "LRN",
    "Resize",
    "Upsample",
    "DepthToSpace",
    "SpaceToDepth",
    "GridSample",
    "RoiAlign",
    "MaxRoiPool",
    CHANNEL_SHUFFLE,
}
_LEAST_RANK = 3


def to_last(rank: int) -> tuple[int, ...]:
    """The permutation [n, c, ...] -> [n, ..., c]."""
    return (0, *range(2, rank), 1)


def to_first(rank: int) -> tuple[int, ...]:
    """The permutation [n, ..., c] -> [n, c, ...]."""
    return (0, rank - 1, *range(1, rank - 1))


def weights_last(rank: int) -> tuple[int, ...]:
    """The permutation [out, in, *kernel] -> [*kernel, in, out]."""
    return (*range(2, rank), 1, 0)


def channels_last(graph: Graph) -> Graph:
    """The graph with its spatial operators channels last."""
    constants, infos, places = dict(graph.constants), dict(graph.infos), dict(graph.places)
    changed = dataclasses.replace(graph, constants=constants, infos=infos, places=places)
    nodes: list[Node] = []
    for node in graph.nodes:
        nodes += _rewrite(node, changed) if _applies(node, graph) else [node]
    return dataclasses.replace(changed, nodes=tuple(nodes))


def _applies(node: Node, graph: Graph) -> bool:
    if node.domain or node.op not in _OPS or len([name for name in node.outputs if name]) > 1:
        return False  # a pool that tells places, or a normalisation that learns, counts in ONNX's own layout
    rank = graph.rank(node.inputs[0])
    return rank is not None and rank >= _LEAST_RANK and not node.attributes.get("training_mode")


def _rewrite(node: Node, graph: Graph) -> Iterator[Node]:
    """The node between two transposes; what it needs is added to the graph."""
    rank = graph.rank(node.inputs[0])
    assert rank is not None, "_applies has looked"
    source, result = node.inputs[0], node.outputs[0]
    inner_source, inner_result = f"{source}|last|{result}", f"{result}|last"
    inputs = [inner_source, *node.inputs[1:]]
    yield _transpose(node, source, inner_source, to_last(rank))
    if node.op in WEIGHTS:
        place = WEIGHTS[node.op]
        given = node.inputs[place]
        inputs[place] = weights = f"{given}|last"
        if given in graph.constants:
            perm = weights_last(rank)
            graph.constants[weights] = np.ascontiguousarray(graph.constants[given].transpose(perm))
            graph.places[given] = TensorLocation(weights, tuple(perm.index(axis) for axis in range(rank)))
        else:
            inputs[place] = weights = f"{weights}|{result}"
            yield _transpose(node, given, weights, weights_last(rank))
    for outer, inner in ((source, inner_source), (result, inner_result)):
        if (info := graph.infos.get(outer)) is not None:
            shape = None if info.shape is None else tuple(info.shape[axis] for axis in to_last(len(info.shape)))
            graph.infos[inner] = Info(info.dtype, shape)
    yield dataclasses.replace(node, inputs=tuple(inputs), outputs=(inner_result,), domain=DOMAIN)
    yield _transpose(node, inner_result, result, to_first(rank))


def _transpose(node: Node, source: str, result: str, perm: tuple[int, ...]) -> Node:
    """A transpose that serves a node."""
    return Node("Transpose", (source,), (result,), {"perm": list(perm)}, "", 1, f"{node.name}/layout", node.scope)
