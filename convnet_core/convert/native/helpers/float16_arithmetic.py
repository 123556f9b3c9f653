"""16-bit float nodes: compute in float32 and round the results once.

ONNX Runtime does the same on the CPU where it has no float16 kernel. LiteRT 2.3 has only casts for float16, and
TensorFlow's float16 and bfloat16 kernels are no faster than float32.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from convnet_core.convert.native.helpers.dtypes import HALVES, convert_dtype, dtype_of
from convnet_core.convert.native.ir import Graph, Node
from convnet_core.convert.native.lazy_tensorflow import tf


def step_rounding(dtype: str | None) -> Callable[[Any], Any]:
    """A function that rounds float32 to a 16-bit dtype, for steps that ONNX rounds; identity for other dtypes."""
    if dtype not in HALVES:
        return lambda x: x
    return lambda x: tf.cast(tf.cast(x, dtype), tf.float32)


_DTYPE_AWARE = {"BitCast", "Cast", "CastLike", "DequantizeLinear", "Identity", "QuantizeLinear", "Shape", "Size"}
"""Operators that depend on the dtype itself or do not read values."""


def call(function: Callable[..., Any], node: Node, graph: Graph, operands: list[Any], keywords: dict[str, Any]) -> Any:
    """Call a node's handler, in float32 if an operand is a 16-bit float."""
    names = [dtype_of(x) for x in operands]
    half = next((name for name in names if name in HALVES), None)
    if half is None or node.op in _DTYPE_AWARE or any(node.subgraphs):
        return function(*operands, **keywords)
    wide = (convert_dtype(x, "float32") if name in HALVES else x for x, name in zip(operands, names, strict=True))
    results = function(*wide, **keywords)
    if not isinstance(results, tuple):
        return _round(results, node.outputs[0], half, graph)
    return tuple(_round(x, name, half, graph) for x, name in zip(results, node.outputs, strict=False))


def _round(x: Any, name: str, half: str, graph: Graph) -> Any:
    """Round a float32 result to the dtype inferred for it or, if unknown, to the operands' dtype."""
    info = graph.infos.get(name)
    dtype = info.dtype if info is not None and info.dtype else half
    return convert_dtype(x, dtype) if dtype_of(x) == "float32" and dtype in HALVES else x
