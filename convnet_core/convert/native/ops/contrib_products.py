"""Matrix products of com.microsoft: with transposes and a scale factor, and for integers."""

from __future__ import annotations

from typing import Any

import numpy as np

from convnet_core.convert.native.helpers.tensors import rank_of
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.ops.linear import matmul, matmul_integer
from convnet_core.convert.native.ops.quantization import dynamic_quantize_linear, quantize_linear
from convnet_core.convert.native.registry import handles
from convnet_core.onnx_files.contrib import DOMAIN


@handles("TransposeMatMul", 1, domain=DOMAIN)
@handles("FusedMatMul", 1, domain=DOMAIN)
def fused_matmul(
    a: Any,
    b: Any,
    *,
    alpha: float = 1.0,
    transA: int = 0,
    transB: int = 0,
    transBatchA: int = 0,
    transBatchB: int = 0,
) -> Any:
    y = matmul(_transpose(a, transA, transBatchA), _transpose(b, transB, transBatchB))
    return y if alpha == 1 else y * tf.cast(alpha, y.dtype)


def _transpose(x: Any, matrix: int, batch: int) -> Any:
    """Optionally move the first dimension before the last (`batch`), then transpose each matrix (`matrix`)."""
    order = list(range(rank_of(x)))
    if len(order) < 2 or not (matrix or batch):
        return x
    if batch:
        order = [*order[1:-1], 0, order[-1]]
    return tf.transpose(x, [*order[:-2], order[-1], order[-2]] if matrix else order)


@handles("MatMulIntegerToFloat", 1, domain=DOMAIN, static=("a_scale", "b_scale"))
def matmul_integer_to_float(
    a: Any,
    b: Any,
    a_scale: Any,
    b_scale: Any,
    a_zero_point: Any = None,
    b_zero_point: Any = None,
    bias: Any = None,
) -> Any:
    """`b_scale` is a scalar or has one scale per column."""
    y = tf.cast(matmul_integer(a, b, a_zero_point, b_zero_point), a_scale.dtype) * (a_scale * b_scale)
    return y if bias is None else y + bias


@handles("DynamicQuantizeMatMul", 1, domain=DOMAIN, static=("b_scale",))
def dynamic_quantize_matmul(a: Any, b: Any, b_scale: Any, b_zero_point: Any = None, bias: Any = None) -> Any:
    quantized, scale, zero = dynamic_quantize_linear(a)
    return matmul_integer_to_float(quantized, b, scale, b_scale, zero, b_zero_point, bias)


@handles("QGemm", 1, domain=DOMAIN, static=("a_scale", "b_scale", "y_scale"))
def qgemm(
    a: Any,
    a_scale: Any,
    a_zero_point: Any,
    b: Any,
    b_scale: Any,
    b_zero_point: Any,
    c: Any = None,
    y_scale: Any = None,
    y_zero_point: Any = None,
    *,
    alpha: float = 1.0,
    transA: int = 0,
    transB: int = 0,
) -> Any:
    """Returns floats if there is no `y_scale`. `c` is int32 in units of alpha * a_scale * b_scale."""
    y = matmul_integer(_transpose(a, transA, 0), _transpose(b, transB, 0), a_zero_point, b_zero_point)
    y = y if c is None else y + c
    scale = np.float32(alpha) * a_scale * b_scale
    if y_scale is None:
        return tf.cast(y, tf.float32) * scale
    return quantize_linear(tf.cast(y, tf.float32) * (scale / y_scale), np.array(1, np.float32), y_zero_point)
