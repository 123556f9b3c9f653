"""Remove unused nodes and constants."""

from __future__ import annotations

import dataclasses

from convnet_core.convert.native.ir import Graph


def drop_unused(graph: Graph) -> Graph:
    """Remove nodes and constants that no output depends on. Leaves subgraphs unchanged."""
    used = set(graph.outputs)
    nodes = []
    for node in reversed(graph.nodes):
        if used.intersection(node.outputs):
            nodes.append(node)
            used.update(node.inputs)
            used.update(*(inner.captured_names() for inner in node.subgraphs))
    constants = {name: value for name, value in graph.constants.items() if name in used}
    return dataclasses.replace(graph, nodes=tuple(reversed(nodes)), constants=constants)
