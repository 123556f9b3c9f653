"""Push transposes through what does not care about the order of dimensions, so that they meet and cancel.

The nodes are gone through in order. A transpose is not kept but remembered: `moved[name] = (source, perm)` says that
the tensor is the source with its dimensions in the order of perm. A node that has a rule (`rules.py`) is rewritten to
work on the sources, and its results are remembered the same way; any other gets the transpose made just before it.
"""

from __future__ import annotations

import dataclasses

from convnet_core.convert.native.ir import Graph, Node
from convnet_core.convert.native.passes.transpose_rules import RULES, Sinking, View
from convnet_core.convert.tensor_location import TensorLocation


def sink_transposes(graph: Graph) -> Graph:
    """The graph with its transposes as late as possible, and those that cancel gone."""
    sinking = Sinking(graph)
    nodes: list[Node] = []
    for node in graph.nodes:
        nodes += _rewrite(node, sinking)
    makers = {name: node.scope for node in graph.nodes for name in node.outputs}
    for name in graph.outputs:
        nodes += _emit(name, sinking, makers.get(name, ""))
    return dataclasses.replace(
        graph, nodes=tuple(nodes), constants=sinking.constants, infos=sinking.infos, places=_locations(graph, sinking)
    )


def _locations(graph: Graph, sinking: Sinking) -> dict[str, TensorLocation]:
    """Where the values are of which nothing was made, or whose place has moved on."""
    unmade = {name: moved for name, moved in sinking.moved.items() if name not in sinking.made}
    found = {name: TensorLocation(*moved) for name, moved in unmade.items()} | sinking.places
    for name, place in graph.places.items():
        found[name] = place.moved_on(*unmade[place.source]) if place.source in unmade else place
    return found


def _rewrite(node: Node, sinking: Sinking) -> list[Node]:
    """What a node becomes."""
    if node.op == "Transpose" and not node.domain:
        if (made := _remember(node, sinking)) is not None:
            return made
    elif node.op in RULES and any(name in sinking.moved for name in node.inputs):
        sunk = RULES[node.op](node, sinking)
        if sunk is not None:
            return sunk
    made = []
    captured = {name for inner in node.subgraphs for name in inner.captured()}
    for name in (*node.inputs, *sorted(captured)):
        made += _emit(name, sinking, node.scope)
    return [*made, node]


def _remember(node: Node, sinking: Sinking) -> list[Node] | None:
    """A transpose: nothing is made of it yet. None where the order of its dimensions is not known."""
    (name,), (result,) = node.inputs, node.outputs
    rank = sinking.rank(name)
    perm = node.attributes.get("perm") or (list(range(rank))[::-1] if rank is not None else None)
    if perm is None:
        return None
    source, before = sinking.moved.get(name, View(name, tuple(range(len(perm)))))
    sinking.remember(result, source, tuple(before[axis] for axis in perm))
    return []


def _emit(name: str, sinking: Sinking, scope: str) -> list[Node]:
    """The transpose that makes a remembered tensor, the first time that somebody needs it."""
    if name not in sinking.moved or name in sinking.made:
        return []
    source, perm = sinking.moved[name]
    sinking.made.add(name)
    if perm == tuple(range(len(perm))):
        return [Node("Identity", (source,), (name,), {}, "", 1, f"{name}/same", scope or "layout")]
    return [Node("Transpose", (source,), (name,), {"perm": list(perm)}, "", 1, f"{name}/layout", scope or "layout")]
