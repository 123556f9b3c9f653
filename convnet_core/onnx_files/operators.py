"""Opsets and versions of ONNX operators."""

from __future__ import annotations

from collections.abc import Mapping

import onnx
import onnx.defs

ONNX_DOMAINS = ("", "ai.onnx")
"""The two names of ONNX's default domain."""


def opsets_of(model: onnx.ModelProto) -> dict[str, int]:
    """The opset that a model imports for each domain. The default domain is always ""."""
    return {"" if item.domain in ONNX_DOMAINS else item.domain: item.version for item in model.opset_import}


def operator_version(node: onnx.NodeProto, opsets: Mapping[str, int]) -> int | None:
    """The version of a node's operator: the newest in its opset.

    Returns the opset version if onnx does not know the operator, None if the model does not import its domain.
    """
    domain = "" if node.domain in ONNX_DOMAINS else node.domain
    opset = opsets.get(domain)
    if opset is None:
        return None
    try:
        return int(onnx.defs.get_schema(node.op_type, opset, domain).since_version)
    except onnx.defs.SchemaError:
        return opset
