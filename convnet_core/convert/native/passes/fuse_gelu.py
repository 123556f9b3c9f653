"""GELU written out, as exporters did before it was an operator (opset 20), made that operator again.

x * 0.5 * (1 + erf(x / √2)): LiteRT has no Erf among its built-in ops, and knows the pattern only where nobody else uses
a part of it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import numpy as np

from convnet_core.convert.native.ir import Graph, Node


def fuse_gelu(graph: Graph) -> Graph:
    """The graph with products that are a GELU replaced by it; what they were made of is left to `drop_unused`."""
    makers = {name: node for node in graph.nodes for name in node.outputs}
    nodes: list[Node] = []
    for node in graph.nodes:
        x = _match_gelu(node, graph, makers) if node.op == "Mul" else None
        nodes.append(
            node if x is None else dataclasses.replace(node, op="Gelu", version=20, inputs=(x,), attributes={})
        )
    return dataclasses.replace(graph, nodes=tuple(nodes))


def _match_gelu(node: Node, graph: Graph, makers: Mapping[str, Node]) -> str | None:
    """x, where the product is GELU(x)."""
    factors: list[str] = []
    for name in node.inputs:
        maker = makers.get(name)
        factors += maker.inputs if maker is not None and maker.op == "Mul" else (name,)
    if len(factors) != 3:
        return None
    for name in factors:
        others = [other for other in factors if other != name]
        x = _match_erf(name, graph, makers)
        if x is not None and x in others and any(_is_number(other, 0.5, graph) for other in others):
            return x
    return None


def _match_erf(name: str, graph: Graph, makers: Mapping[str, Node]) -> str | None:
    """x, where a tensor is 1 + erf(x / √2)."""
    added = makers.get(name)
    if added is None or added.op != "Add" or not any(_is_number(term, 1.0, graph) for term in added.inputs):
        return None
    erf = next((makers[term] for term in added.inputs if term in makers and makers[term].op == "Erf"), None)
    scaled = makers.get(erf.inputs[0]) if erf is not None else None
    if scaled is None:
        return None
    first, second = (*scaled.inputs, "")[:2]
    if scaled.op == "Div" and _is_number(second, math.sqrt(2), graph):
        return first
    if scaled.op == "Mul":
        scale = math.sqrt(0.5)
        return first if _is_number(second, scale, graph) else second if _is_number(first, scale, graph) else None
    return None


def _is_number(name: str, value: float, graph: Graph) -> bool:
    """Whether a tensor is this one number, as its dtype has it."""
    array = graph.constants.get(name)
    if array is None or array.size != 1 or array.dtype.kind != "f":
        return False
    return bool(np.isclose(float(array.ravel()[0]), float(array.dtype.type(value)), rtol=1e-6, atol=0))
