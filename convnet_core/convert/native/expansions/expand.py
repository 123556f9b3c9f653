"""Expand the operators of a graph that have an expansion."""

from __future__ import annotations

import dataclasses

from convnet_core.convert.native.expansions import fused, quantized  # noqa: F401  # they register their expansions
from convnet_core.convert.native.expansions.expansion import EXPANSIONS, Expansion
from convnet_core.convert.native.ir import Graph, Node
from convnet_core.onnx_files.contrib import DOMAIN

_IGNORED_IF_0 = {"do_rotary", "past_present_share_buffer"}
"""Attributes that have no effect when 0."""


def expand(graph: Graph) -> Graph:
    """Expand all operators that have an expansion, including in subgraphs."""
    changed = dataclasses.replace(graph, constants=dict(graph.constants), infos=dict(graph.infos))
    nodes: list[Node] = []
    for node in graph.nodes:
        nodes += _expand_node(node, changed)
    return dataclasses.replace(changed, nodes=tuple(nodes))


def _expand_node(node: Node, graph: Graph) -> list[Node]:
    inner = {name: expand(value) for name, value in node.attributes.items() if isinstance(value, Graph)}
    node = dataclasses.replace(node, attributes={**node.attributes, **inner}) if inner else node
    if node.domain == DOMAIN:
        effective = {name: value for name, value in node.attributes.items() if value or name not in _IGNORED_IF_0}
        node = dataclasses.replace(node, attributes=effective)
    function = EXPANSIONS.get((node.domain, node.op))
    if function is None:
        return [node]
    expansion = Expansion(node, graph)
    result = function(expansion)
    if result is None:
        return [node]
    names = {result: node.outputs[0]}
    return [
        dataclasses.replace(
            item,
            inputs=tuple(names.get(name, name) for name in item.inputs),
            outputs=tuple(names.get(name, name) for name in item.outputs),
        )
        for item in expansion.nodes
    ]
