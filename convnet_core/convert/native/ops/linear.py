"""Matrix products and determinants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from convnet_core.convert.native.helpers import integer_arithmetic
from convnet_core.convert.native.helpers.dtypes import INTEGERS, SMALL_INTEGERS, UNSIGNED, cast_around
from convnet_core.convert.native.helpers.tensors import rank_of
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.registry import handles


@handles("MatMul", 1, 9, 13)
def matmul(a: Any, b: Any) -> Any:
    return _as_matrices(product, a, b)


def _as_matrices(multiply: Callable[[Any, Any], Any], a: Any, b: Any) -> Any:
    """Treat a vector on the left as one row, on the right as one column."""
    row, column = rank_of(a) == 1, rank_of(b) == 1
    y = multiply(tf.expand_dims(a, 0) if row else a, tf.expand_dims(b, 1) if column else b)
    axes = [axis for axis, single in ((-2, row), (-1, column)) if single]
    return tf.squeeze(y, axes) if axes else y


def product(a: Any, b: Any, transpose_a: bool = False, transpose_b: bool = False) -> Any:
    """The matrix product in any dtype."""

    def multiply(a: Any, b: Any) -> Any:
        if a.dtype in (tf.int32, tf.int64):
            a, b = _transpose_if(a, transpose_a), _transpose_if(b, transpose_b)
            return integer_arithmetic.matmul(a, b)
        return tf.matmul(a, b, transpose_a=transpose_a, transpose_b=transpose_b)

    return cast_around(multiply, a, b, when=SMALL_INTEGERS | UNSIGNED, to=tf.int64)


def _transpose_if(x: Any, transpose: bool) -> Any:
    return tf.linalg.matrix_transpose(x) if transpose else x


@handles("Gemm", 1, 6, 7, 9, 11, 13)
def gemm(
    a: Any,
    b: Any,
    c: Any = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    broadcast: int = 0,
    transA: int = 0,
    transB: int = 0,
) -> Any:
    def compute(a: Any, b: Any, c: Any = None) -> Any:
        y = product(a, b, bool(transA), bool(transB))
        y = y if alpha == 1 else y * tf.cast(alpha, y.dtype)
        if c is None or beta == 0:
            return y
        if tf.TensorShape(c.shape)[:-1] == [1]:  # TensorFlow fuses this sum into the product and then requires a vector
            c = tf.squeeze(c, 0)
        return y + (c if beta == 1 else c * tf.cast(beta, y.dtype))

    operands = (a, b) if c is None else (a, b, c)
    return cast_around(compute, *operands, when=INTEGERS if alpha % 1 or beta % 1 else (), to=tf.float64)


@handles("MatMulInteger", 10)
def matmul_integer(a: Any, b: Any, a_zero_point: Any = None, b_zero_point: Any = None) -> Any:
    return integer_product(subtract_zero_point(a, as_column(a_zero_point)), subtract_zero_point(b, b_zero_point))


def integer_product(a: Any, b: Any) -> Any:
    """The int32 product of matrices with values from -255 to 255."""
    return _as_matrices(integer_arithmetic.matmul_of_bytes, a, b)


def subtract_zero_point(x: Any, zero_point: Any) -> Any:
    """Subtract the zero point from integers, as int32."""
    wide = tf.cast(x, tf.int32)
    return wide if zero_point is None else wide - tf.cast(zero_point, tf.int32)


def as_column(value: Any) -> Any:
    """Per-row scales or zero points as a column."""
    return tf.expand_dims(value, 1) if value is not None and rank_of(value) == 1 else value


@handles("Det", 11, 22)
def det(x: Any) -> Any:
    return cast_around(tf.linalg.det, x, when={"float16", "bfloat16"}, to=tf.float32)
