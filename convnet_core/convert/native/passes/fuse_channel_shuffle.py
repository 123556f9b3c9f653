"""Fuse the nodes of a channel shuffle into one operator, `ChannelShuffle` with `groups`, which ONNX does not have.

The pattern reshapes x [n, groups * each, ...] to [n, groups, each, ...], swaps the two dimensions, and reshapes back.
Channels last, the swap is one transpose of the last two dimensions. Unfused, it would block the layout transposes.
"""

from __future__ import annotations

import dataclasses

from convnet_core.convert.native.ir import Graph, Node

OP = "ChannelShuffle"


def fuse_channel_shuffle(graph: Graph) -> Graph:
    """Replace channel shuffles. `drop_unused` removes the replaced nodes."""
    producers = {name: node for node in graph.nodes for name in node.outputs}
    nodes = []
    for node in graph.nodes:
        if (match := _match_shuffle(node, graph, producers)) is not None:
            x, groups = match
            node = dataclasses.replace(node, op=OP, version=1, inputs=(x,), attributes={"groups": groups})
        nodes.append(node)
    return dataclasses.replace(graph, nodes=tuple(nodes))


def _match_shuffle(node: Node, graph: Graph, producers: dict[str, Node]) -> tuple[str, int] | None:
    """x and its number of groups if `node` is the end of a shuffle of x, else None."""
    swap = producers.get(node.inputs[0]) if node.op == "Reshape" and not node.domain else None
    if swap is None or swap.op != "Transpose" or swap.domain:
        return None
    split = producers.get(swap.inputs[0])
    if split is None or split.op != "Reshape" or split.domain:
        return None
    x = split.inputs[0]
    before, parts, after = (_sizes(name, graph) for name in (x, split.outputs[0], node.outputs[0]))
    if before is None or parts is None or before != after or len(before) < 3 or len(parts) != len(before) + 1:
        return None
    groups, each = parts[1:3]
    if None in before[1:] or groups is None or each is None or groups * each != before[1]:
        return None
    swaps = list(swap.attributes.get("perm", ())) == [0, 2, 1, *range(3, len(parts))]
    return (x, groups) if swaps and parts[0] == before[0] and parts[3:] == before[2:] else None


def _sizes(name: str, graph: Graph) -> tuple[int | None, ...] | None:
    info = graph.infos.get(name)
    return None if info is None else info.shape
