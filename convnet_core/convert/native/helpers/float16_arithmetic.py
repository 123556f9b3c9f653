"""Nodes of 16-bit floats: computed in float32, their results rounded once.

ONNX Runtime does the same on the CPU where it has no kernel of float16. LiteRT 2.3 has none but casts, and TensorFlow's
of float16 and bfloat16 are no faster than those of float32.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from convnet_core.convert.native.helpers.dtypes import HALVES, convert_dtype, dtype_of
from convnet_core.convert.native.ir import Graph, Node
from convnet_core.convert.native.lazy_tensorflow import tf


def step_rounding(dtype: str | None) -> Callable[[Any], Any]:
    """What a handler of float32 does after each step that ONNX rounds in 16 bits; nothing for other dtypes."""
    if dtype not in HALVES:
        return lambda x: x
    return lambda x: tf.cast(tf.cast(x, dtype), tf.float32)


_DTYPE_AWARE = {"BitCast", "Cast", "CastLike", "DequantizeLinear", "Identity", "QuantizeLinear", "Shape", "Size"}
"""Operators that the dtype means something to, or whose values are not looked at."""


def call(function: Callable[..., Any], node: Node, graph: Graph, operands: list[Any], keywords: dict[str, Any]) -> Any:
    """A node's results by its handler."""
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
    """A float32 result in the dtype that the model has for it; where that is not known, in that of the operands."""
    info = graph.infos.get(name)
    wanted = info.dtype if info is not None and info.dtype else half
    return convert_dtype(x, wanted) if dtype_of(x) == "float32" and wanted in HALVES else x
