"""Drop what nobody uses."""

from __future__ import annotations

import dataclasses

from convnet_core.convert.native.ir import Graph


def drop_unused(graph: Graph) -> Graph:
    """The graph without nodes and constants whose results reach no output. Subgraphs are left as they are."""
    wanted = set(graph.outputs)
    kept = []
    for node in reversed(graph.nodes):
        if wanted.intersection(node.outputs):
            kept.append(node)
            wanted.update(node.inputs)
            wanted.update(*(inner.captured() for inner in node.subgraphs))
    constants = {name: value for name, value in graph.constants.items() if name in wanted}
    return dataclasses.replace(graph, nodes=tuple(reversed(kept)), constants=constants)
