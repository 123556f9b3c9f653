"""Versions of ONNX operators."""

from __future__ import annotations

from collections.abc import Mapping

import onnx
import onnx.defs

ONNX_DOMAINS = ("", "ai.onnx")
"""The two names of ONNX's own domain."""


def opsets_of(model: onnx.ModelProto) -> dict[str, int]:
    """The opset that a model imports of each domain; ONNX's own domain is "" whatever the model calls it."""
    return {"" if item.domain in ONNX_DOMAINS else item.domain: item.version for item in model.opset_import}


def operator_version(node: onnx.NodeProto, opsets: Mapping[str, int]) -> int | None:
    """The version of the operator that applies to a node: the newest that its opset includes.

    The opset's own version where onnx does not know the operator, None where the model imports no such opset.
    """
    domain = "" if node.domain in ONNX_DOMAINS else node.domain
    opset = opsets.get(domain)
    if opset is None:
        return None
    try:
        return int(onnx.defs.get_schema(node.op_type, opset, domain).since_version)
    except onnx.defs.SchemaError:
        return opset
