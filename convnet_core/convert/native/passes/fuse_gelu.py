"""Fuse x * 0.5 * (1 + erf(x / √2)) into Gelu. Exporters write this pattern before opset 20.

LiteRT has no built-in Erf, and recognizes the pattern only if its intermediate values have no other use.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import numpy as np

from convnet_core.convert.native.ir import Graph, Node


def fuse_gelu(graph: Graph) -> Graph:
    """Replace GELU patterns. `drop_unused` removes the replaced nodes."""
    producers = {name: node for node in graph.nodes for name in node.outputs}
    nodes: list[Node] = []
    for node in graph.nodes:
        x = _match_gelu(node, graph, producers) if node.op == "Mul" else None
        nodes.append(
            node if x is None else dataclasses.replace(node, op="Gelu", version=20, inputs=(x,), attributes={})
        )
    return dataclasses.replace(graph, nodes=tuple(nodes))


def _match_gelu(node: Node, graph: Graph, producers: Mapping[str, Node]) -> str | None:
    """x if the product equals GELU(x), else None."""
    factors: list[str] = []
    for name in node.inputs:
        producer = producers.get(name)
        factors += producer.inputs if producer is not None and producer.op == "Mul" else (name,)
    if len(factors) != 3:
        return None
    for name in factors:
        others = [other for other in factors if other != name]
        x = _match_erf(name, graph, producers)
        if x is not None and x in others and any(_is_number(other, 0.5, graph) for other in others):
            return x
    return None


def _match_erf(name: str, graph: Graph, producers: Mapping[str, Node]) -> str | None:
    """x if the tensor equals 1 + erf(x / √2), else None."""
    addition = producers.get(name)
    if addition is None or addition.op != "Add" or not any(_is_number(term, 1.0, graph) for term in addition.inputs):
        return None
    erf = next((producers[term] for term in addition.inputs if term in producers and producers[term].op == "Erf"), None)
    scaled = producers.get(erf.inputs[0]) if erf is not None else None
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
    """Whether a tensor is a constant equal to one number, rounded to its dtype."""
    array = graph.constants.get(name)
    if array is None or array.size != 1 or array.dtype.kind != "f":
        return False
    return bool(np.isclose(float(array.ravel()[0]), float(array.dtype.type(value)), rtol=1e-6, atol=0))
