"""Limits of handlers that the graph reveals before tracing, so that the check can report them."""

from __future__ import annotations

from convnet_core.convert.native.ir import Graph, Node
from convnet_core.convert.native.passes.channels_last import DOMAIN, WEIGHTS
from convnet_core.language import _

_WINDOWED = WEIGHTS.keys() | {"MaxPool", "AveragePool", "LpPool"}
_TRAINING_VERSION = 14
"""The first version of BatchNormalization whose training mode is supported."""


def limit(node: Node, graph: Graph) -> str | None:
    """Why a node with a supported operator cannot be converted; None if it can."""
    if node.domain not in ("", DOMAIN) or not node.inputs:
        return None
    rank = graph.rank(node.inputs[0])
    if node.op in _WINDOWED and rank is not None and not 3 <= rank <= 5:
        return _("{count} spatial dimensions: 1 to 3 are supported", count=rank - 2)
    if node.op == "BatchNormalization" and node.version < _TRAINING_VERSION and any(node.outputs[1:]):
        return _(
            "batch normalization in training mode is supported from version {version} on", version=_TRAINING_VERSION
        )
    return None
