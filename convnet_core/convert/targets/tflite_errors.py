"""Summarize errors of TFLite's converter, which are pages of MLIR (TensorFlow 2.21), in one line."""

from __future__ import annotations

import re

from convnet_core.common.formatting import join_clauses, join_words, list_words
from convnet_core.language import _

_DTYPES = {"f16": "float16", "bf16": "bfloat16", "f64": "float64", "i1": "bool", "!tf_type.string": "string"}
"""MLIR's dtype names that follow no rule, unlike i8, ui8, f8E4M3FN, complex<f32>."""

_MAX_NODES = 3
"""Most nodes to name for each op."""


def reason(text: str) -> str:
    """The unsupported ops or dtypes with their ONNX nodes, or else the first line if it is readable."""
    unsupported = re.search(r"^(?:TF Select|Custom) ops: (.+)$", text, re.MULTILINE)
    if unsupported is not None:
        ops = [_with_nodes(_with_dtypes(op, text), text, op) for op in unsupported[1].split(", ")]
        return _("not among LiteRT's built-in ops: {ops}", ops=join_clauses(ops))
    dtype = re.search(r"(?:element type '|but got 'tensor<[^']*?)(f8\w+|ui[24]|i[24])\b", text)
    if dtype is not None:
        return _with_nodes(_("LiteRT has no tensors of {dtype}", dtype=_dtype_name(dtype[1])), text)
    if "TensorList" in text:
        return _with_nodes(_("a loop returns results whose number or shape is known only at run time"), text)
    op = re.search(r"'tfl?\.(\w+)' op|failed to legalize operation 'tfl?\.(\w+)'", text)
    if op is not None:
        return _with_nodes(_("TFLite's converter does not support {op}", op=op[1] or op[2]), text)
    line = text.strip().splitlines()[0] if text.strip() else ""
    if not line or re.search(r"<unknown>|loc\(|tensor<|%\d", line):
        return _with_nodes(_("TFLite's converter failed without a readable reason"), text)
    return line[:300]


def _with_nodes(message: str, text: str, op: str = r"\w+") -> str:
    """The message, and the ONNX nodes that ops with a name matching this pattern belong to."""
    matches = re.findall(rf'fused\["(?:{op}):", "([^"@]+)/[^"/@]*@', text)
    nodes = sorted(set(matches))
    if not nodes:
        return message
    names = list_words([*nodes[:_MAX_NODES], *(["..."] if len(nodes) > _MAX_NODES else [])])
    return _("{message} (node {names})", message=message, names=names)


def _with_dtypes(op: str, text: str) -> str:
    """The op, and the dtypes of the first operands if they are not float32."""
    matches = re.findall(rf"^\s*tf\.{op}\(tensor<[^>]*?([^x<>]+|complex<f32>)>", text, re.MULTILINE)
    names = sorted({_dtype_name(dtype) for dtype in matches} - {"float32"})
    return _("{op} of {dtypes}", op=op, dtypes=join_words(names)) if names else op


def _dtype_name(mlir: str) -> str:
    if mlir in _DTYPES:
        return _DTYPES[mlir]
    if mlir.startswith("f8"):
        return f"float8_{mlir[2:].lower()}"
    return re.sub(r"^(u?)s?i(\d+)$", r"\1int\2", mlir).replace("f32", "float32")
