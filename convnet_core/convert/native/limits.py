"""What a handler cannot do and a graph tells before: said by the check, and not only when the graph is traced."""

from __future__ import annotations

from convnet_core.convert.native.ir import Graph, Node
from convnet_core.convert.native.passes.channels_last import DOMAIN, WEIGHTS

_WINDOWED = WEIGHTS.keys() | {"MaxPool", "AveragePool", "LpPool"}
_LEARNS = 14
"""The first version of BatchNormalization whose learning is known."""


def limit(node: Node, graph: Graph) -> str | None:
    """Why a node whose operator is known cannot be converted; None where nothing speaks against it."""
    if node.domain not in ("", DOMAIN) or not node.inputs:
        return None
    rank = graph.rank(node.inputs[0])
    if node.op in _WINDOWED and rank is not None and not 3 <= rank <= 5:
        return f"{rank - 2} spatial dimensions: 1 to 3 are supported"
    if node.op == "BatchNormalization" and node.version < _LEARNS and any(node.outputs[1:]):
        return f"a batch normalization that learns is known from version {_LEARNS} on"
    return None
