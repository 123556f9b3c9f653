"""Group normalisation written out, as PyTorch's exporter does, made that operator again.

x [n, c, ...] is reshaped to [n, groups, -1], normalised as if each group were a channel, and reshaped back; what comes
after scales the channels. The reshapes would hold up transposes on both sides.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from convnet_core.convert.native.ir import Graph, Node


def fuse_group_norm(graph: Graph) -> Graph:
    """The graph with reshapes back from groups replaced by the operator; what they came from is left to
    `drop_unused`.
    """
    makers = {name: node for node in graph.nodes for name in node.outputs}
    nodes, infos = [], dict(graph.infos)
    for node in graph.nodes:
        if (found := _match_group_norm(node, graph, makers)) is not None:
            x, norm = found
            attributes = {"num_groups": graph.constants[norm.inputs[1]].size, "epsilon": _epsilon(norm)}
            node = dataclasses.replace(
                node, op="GroupNormalization", version=21, inputs=(x, "", ""), attributes=attributes, scope=norm.scope
            )
            infos[node.outputs[0]] = graph.infos[x]
        nodes.append(node)
    return dataclasses.replace(graph, nodes=tuple(nodes), infos=infos)


def _match_group_norm(node: Node, graph: Graph, makers: dict[str, Node]) -> tuple[str, Node] | None:
    """x and the normalisation, where a node reshapes the normalised groups of x back to its shape."""
    norm = makers.get(node.inputs[0]) if node.op == "Reshape" and not node.domain else None
    if norm is None or norm.op != "InstanceNormalization" or norm.domain or not _is_plain(norm, graph):
        return None
    grouped = makers.get(norm.inputs[0])
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
    return (x, norm) if _restores_shape(node, x, graph, makers) else None


def _is_plain(norm: Node, graph: Graph) -> bool:
    """Whether it neither scales nor shifts."""
    scale, bias = (graph.constants.get(name) for name in norm.inputs[1:3])
    return scale is not None and bias is not None and bool((scale == 1).all() and (bias == 0).all())


def _restores_shape(node: Node, x: str, graph: Graph, makers: dict[str, Node]) -> bool:
    """Whether a reshape gives the shape of x."""
    shape = makers.get(node.inputs[1])
    if shape is not None and shape.op == "Shape" and not shape.domain and shape.inputs[0] == x:
        return not shape.attributes.get("start", 0) and shape.attributes.get("end") is None
    known, target = graph.infos[x].shape, graph.constants.get(node.inputs[1])
    if known is None or target is None or target.size != len(known):
        return False
    # One size that is not known on either side has to be what is left over, which is x's.
    pairs = [(size, wanted) for size, wanted in zip(known, target.tolist(), strict=True) if size != wanted]
    return len(pairs) <= 1 and all(size is None and wanted in (-1, 0) for size, wanted in pairs)


def _epsilon(norm: Node) -> float:
    return float(np.float32(norm.attributes.get("epsilon", 1e-5)))
