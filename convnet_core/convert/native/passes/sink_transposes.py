"""Push transposes past nodes that do not depend on the order of dimensions, so that transposes meet and cancel.

The pass visits nodes in order. It replaces a transpose by a view: `views[name] = (source, perm)` means that the tensor
is `source` transposed by `perm`. A node with a rule (`transpose_rules.py`) is rewritten to use the sources, and
its outputs become views. Before any other node, the views that it needs are emitted as transposes.
"""

from __future__ import annotations

import dataclasses

from convnet_core.convert.native.ir import Graph, Node
from convnet_core.convert.native.passes.transpose_rules import RULES, Sinking, View
from convnet_core.convert.tensor_location import TensorLocation


def sink_transposes(graph: Graph) -> Graph:
    """Move transposes as late as possible and remove those that cancel."""
    sinking = Sinking(graph)
    nodes: list[Node] = []
    for node in graph.nodes:
        nodes += _rewrite(node, sinking)
    scopes = {name: node.scope for node in graph.nodes for name in node.outputs}
    for name in graph.outputs:
        nodes += _emit(name, sinking, scopes.get(name, ""))
    return dataclasses.replace(
        graph,
        nodes=tuple(nodes),
        constants=sinking.constants,
        infos=sinking.infos,
        locations=_locations(graph, sinking),
    )


def _locations(graph: Graph, sinking: Sinking) -> dict[str, TensorLocation]:
    """Locations of tensors that remained views, and existing locations whose source became a view."""
    views = {name: view for name, view in sinking.views.items() if name not in sinking.emitted}
    result = {name: TensorLocation(*view) for name, view in views.items()} | sinking.locations
    for name, location in graph.locations.items():
        result[name] = location.with_source(*views[location.source]) if location.source in views else location
    return result


def _rewrite(node: Node, sinking: Sinking) -> list[Node]:
    """The nodes that replace a node."""
    if node.op == "Transpose" and not node.domain:
        if (nodes := _remember(node, sinking)) is not None:
            return nodes
    elif node.op in RULES and any(name in sinking.views for name in node.inputs):
        sunk = RULES[node.op](node, sinking)
        if sunk is not None:
            return sunk
    nodes = []
    captured = {name for inner in node.subgraphs for name in inner.captured_names()}
    for name in (*node.inputs, *sorted(captured)):
        nodes += _emit(name, sinking, node.scope)
    return [*nodes, node]


def _remember(node: Node, sinking: Sinking) -> list[Node] | None:
    """Replace a transpose by a view, which needs no node yet. None if its permutation is unknown."""
    (name,), (result,) = node.inputs, node.outputs
    rank = sinking.rank(name)
    perm = node.attributes.get("perm") or (list(range(rank))[::-1] if rank is not None else None)
    if perm is None:
        return None
    source, before = sinking.views.get(name, View(name, tuple(range(len(perm)))))
    sinking.remember(result, source, tuple(before[axis] for axis in perm))
    return []


def _emit(name: str, sinking: Sinking, scope: str) -> list[Node]:
    """The transpose that computes a view, when it is first needed."""
    if name not in sinking.views or name in sinking.emitted:
        return []
    source, perm = sinking.views[name]
    sinking.emitted.add(name)
    if perm == tuple(range(len(perm))):
        return [Node("Identity", (source,), (name,), {}, "", 1, f"{name}/same", scope or "layout")]
    return [Node("Transpose", (source,), (name,), {"perm": list(perm)}, "", 1, f"{name}/layout", scope or "layout")]
