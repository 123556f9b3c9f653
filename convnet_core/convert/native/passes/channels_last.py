"""Convert spatial operators to channels last, the layout that TensorFlow runs fastest.

Each becomes an operator of the same name in `DOMAIN`, between two transposes that `sink_transposes` then moves and
cancels. Its first input and its output are [n, ..., channels]. Other inputs (scales, sizes, statistics) keep ONNX's
layout, except weights, which change to TensorFlow's layout: [out, in, *kernel] of convolutions becomes
[*kernel, in, out], and [in, out, *kernel] of transposed convolutions becomes [*kernel, out, in].
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
"""The index of the weights input."""

SPATIAL = WEIGHTS.keys() | {
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
"""The operators with a channels-last handler, registered by `handles_spatial`."""

_MIN_RANK = 3


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
    """Convert the spatial operators of a graph to channels last."""
    constants, infos, locations = dict(graph.constants), dict(graph.infos), dict(graph.locations)
    changed = dataclasses.replace(graph, constants=constants, infos=infos, locations=locations)
    nodes: list[Node] = []
    for node in graph.nodes:
        nodes += _rewrite(node, changed) if _applies(node, graph) else [node]
    return dataclasses.replace(changed, nodes=tuple(nodes))


def _applies(node: Node, graph: Graph) -> bool:
    if node.domain or node.op not in SPATIAL or len([name for name in node.outputs if name]) > 1:
        return False  # pools that return indices and normalizations in training mode keep ONNX's layout
    rank = graph.rank(node.inputs[0])
    return rank is not None and rank >= _MIN_RANK and not node.attributes.get("training_mode")


def _rewrite(node: Node, graph: Graph) -> Iterator[Node]:
    """The node between two transposes. Adds its constants and infos to the graph."""
    rank = graph.rank(node.inputs[0])
    assert rank is not None, "checked by _applies"
    source, result = node.inputs[0], node.outputs[0]
    inner_source, inner_result = f"{source}|last|{result}", f"{result}|last"
    inputs = [inner_source, *node.inputs[1:]]
    yield _transpose(node, source, inner_source, to_last(rank))
    if node.op in WEIGHTS:
        index = WEIGHTS[node.op]
        weights_name = node.inputs[index]
        inputs[index] = weights = f"{weights_name}|last"
        if weights_name in graph.constants:
            perm = weights_last(rank)
            graph.constants[weights] = np.ascontiguousarray(graph.constants[weights_name].transpose(perm))
            graph.locations[weights_name] = TensorLocation(weights, tuple(perm.index(axis) for axis in range(rank)))
        else:
            inputs[index] = weights = f"{weights}|{result}"
            yield _transpose(node, weights_name, weights, weights_last(rank))
    for outer, inner in ((source, inner_source), (result, inner_result)):
        if (info := graph.infos.get(outer)) is not None:
            shape = None if info.shape is None else tuple(info.shape[axis] for axis in to_last(len(info.shape)))
            graph.infos[inner] = Info(info.dtype, shape)
    yield dataclasses.replace(node, inputs=tuple(inputs), outputs=(inner_result,), domain=DOMAIN)
    yield _transpose(node, inner_result, result, to_first(rank))


def _transpose(node: Node, source: str, result: str, perm: tuple[int, ...]) -> Node:
    """A transpose in the scope of a node."""
    return Node("Transpose", (source,), (result,), {"perm": list(perm)}, "", 1, f"{node.name}/layout", node.scope)
