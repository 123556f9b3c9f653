"""Fuse the group normalization pattern of PyTorch's exporter into GroupNormalization.

The pattern reshapes x [n, c, ...] to [n, groups, -1], applies instance normalization, and reshapes back; later nodes
scale the channels. The reshapes would block transposes on both sides.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from convnet_core.convert.native.ir import Graph, Node


def fuse_group_norm(graph: Graph) -> Graph:
    """Replace group normalization patterns. `drop_unused` removes the replaced nodes."""
    producers = {name: node for node in graph.nodes for name in node.outputs}
    nodes, infos = [], dict(graph.infos)
    for node in graph.nodes:
        if (match := _match_group_norm(node, graph, producers)) is not None:
            x, norm = match
            attributes = {"num_groups": graph.constants[norm.inputs[1]].size, "epsilon": _epsilon(norm)}
            node = dataclasses.replace(
                node, op="GroupNormalization", version=21, inputs=(x, "", ""), attributes=attributes, scope=norm.scope
            )
            infos[node.outputs[0]] = graph.infos[x]
        nodes.append(node)
    return dataclasses.replace(graph, nodes=tuple(nodes), infos=infos)


def _match_group_norm(node: Node, graph: Graph, producers: dict[str, Node]) -> tuple[str, Node] | None:
    """x and its instance normalization if `node` reshapes the normalized groups of x back, else None."""
    norm = producers.get(node.inputs[0]) if node.op == "Reshape" and not node.domain else None
    if norm is None or norm.op != "InstanceNormalization" or norm.domain or not _is_plain(norm, graph):
        return None
    grouped = producers.get(norm.inputs[0])
    if grouped is None or grouped.op != "Reshape" or grouped.domain:
        return None
    x, groups = grouped.inputs[0], graph.constants[norm.inputs[1]].size
    shape, rank = graph.constants.get(grouped.inputs[1]), graph.rank(x)
    if shape is None or rank is None or rank < 3 or shape.size != 3 or shape.tolist()[1:] != [groups, -1]:
        return None
    channels = (graph.infos[x].shape or (None, None))[1]
    if channels is None or channels % groups:
        return None
    if shape[0] != 0 and (graph.infos[x].shape or (None,))[0] != shape[0]:
        return None
    return (x, norm) if _restores_shape(node, x, graph, producers) else None


def _is_plain(norm: Node, graph: Graph) -> bool:
    """Whether a normalization has scale 1 and bias 0."""
    scale, bias = (graph.constants.get(name) for name in norm.inputs[1:3])
    return scale is not None and bias is not None and bool((scale == 1).all() and (bias == 0).all())


def _restores_shape(node: Node, x: str, graph: Graph, producers: dict[str, Node]) -> bool:
    """Whether a reshape restores the shape of x."""
    shape = producers.get(node.inputs[1])
    if shape is not None and shape.op == "Shape" and not shape.domain and shape.inputs[0] == x:
        return not shape.attributes.get("start", 0) and shape.attributes.get("end") is None
    x_shape, target = graph.infos[x].shape, graph.constants.get(node.inputs[1])
    if x_shape is None or target is None or target.size != len(x_shape):
        return False
    # A single size that is unknown on both sides must be x's, because the element counts agree.
    pairs = [(size, new_size) for size, new_size in zip(x_shape, target.tolist(), strict=True) if size != new_size]
    return len(pairs) <= 1 and all(size is None and new_size in (-1, 0) for size, new_size in pairs)


def _epsilon(norm: Node) -> float:
    return float(np.float32(norm.attributes.get("epsilon", 1e-5)))
