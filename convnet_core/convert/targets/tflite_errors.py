"""Summarize errors of TFLite's converter, which are pages of MLIR (TensorFlow 2.21), in one line."""

from __future__ import annotations

import re

_DTYPES = {"f16": "float16", "bf16": "bfloat16", "f64": "float64", "i1": "bool", "!tf_type.string": "string"}
"""MLIR's dtype names that follow no rule, unlike i8, ui8, f8E4M3FN, complex<f32>."""

_MAX_NODES = 3
"""Most nodes to name for each op."""


def reason(text: str) -> str:
    """The unsupported ops or dtypes with their ONNX nodes, or else the first line if it is readable."""
    unsupported = re.search(r"^(?:TF Select|Custom) ops: (.+)$", text, re.MULTILINE)
    if unsupported is not None:
        ops = [f"{op}{_dtype_suffix(op, text)}{_nodes(text, op)}" for op in unsupported[1].split(", ")]
        return f"not among LiteRT's built-in ops: {'; '.join(ops)}"
    dtype = re.search(r"(?:element type '|but got 'tensor<[^']*?)(f8\w+|ui[24]|i[24])\b", text)
    if dtype is not None:
        return f"LiteRT has no tensors of {_dtype_name(dtype[1])}{_nodes(text)}"
    if "TensorList" in text:
        return f"a loop returns results whose number or shape is known only at run time{_nodes(text)}"
    op = re.search(r"'tfl?\.(\w+)' op|failed to legalize operation 'tfl?\.(\w+)'", text)
    if op is not None:
        return f"TFLite's converter does not support {op[1] or op[2]}{_nodes(text)}"
    line = text.strip().splitlines()[0] if text.strip() else ""
    if not line or re.search(r"<unknown>|loc\(|tensor<|%\d", line):
        return f"TFLite's converter failed without a readable reason{_nodes(text)}"
    return line[:300]


def _nodes(text: str, op: str = r"\w+") -> str:
    """The ONNX nodes that ops with a name matching this pattern belong to."""
    matches = re.findall(rf'fused\["(?:{op}):", "([^"@]+)/[^"/@]*@', text)
    nodes = sorted(set(matches))
    return f" (node {', '.join(nodes[:_MAX_NODES])}{', ...' if len(nodes) > _MAX_NODES else ''})" if nodes else ""


def _dtype_suffix(op: str, text: str) -> str:
    """The dtypes of the first operands if they are not float32."""
    matches = re.findall(rf"^\s*tf\.{op}\(tensor<[^>]*?([^x<>]+|complex<f32>)>", text, re.MULTILINE)
    names = sorted({_dtype_name(dtype) for dtype in matches} - {"float32"})
    return f" of {' and '.join(names)}" if names else ""


def _dtype_name(mlir: str) -> str:
    if mlir in _DTYPES:
        return _DTYPES[mlir]
    if mlir.startswith("f8"):
        return f"float8_{mlir[2:].lower()}"
    return re.sub(r"^(u?)s?i(\d+)$", r"\1int\2", mlir).replace("f32", "float32")
