"""Elementwise math functions.

LiteRT 2.3 has no tan, asin, acos, atan, sinh or cosh, so these are built from other functions.
"""

from __future__ import annotations

from typing import Any

from convnet_core.convert.native.helpers.dtypes import widen_integers
from convnet_core.convert.native.helpers.tensors import clamp
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.registry import handles


@handles("Abs", 1, 6, 13)
@widen_integers
def absolute(x: Any) -> Any:
    """LiteRT has no Abs for int64."""
    dtype = tf.as_dtype(x.dtype)
    return tf.identity(x) if dtype.is_unsigned else tf.maximum(x, -x) if dtype == tf.int64 else tf.abs(x)


@handles("Neg", 1, 6, 13)
@widen_integers
def neg(x: Any) -> Any:
    return tf.negative(x)


@handles("Sign", 9, 13)
@widen_integers
def sign(x: Any) -> Any:
    dtype = tf.as_dtype(x.dtype)
    if dtype.is_unsigned:
        return tf.cast(x > 0, dtype)
    if dtype == tf.int64:  # LiteRT 2.3 has no Sign for int64
        return tf.cast(x > 0, dtype) - tf.cast(x < 0, dtype)
    return tf.sign(x)


@handles("Reciprocal", 1, 6, 13)
def reciprocal(x: Any) -> Any:
    return tf.math.truediv(tf.ones([], x.dtype), x)  # tf.math.reciprocal is less accurate


@handles("Ceil", 1, 6, 13)
def ceil(x: Any) -> Any:
    return tf.math.ceil(x)


@handles("Floor", 1, 6, 13)
def floor(x: Any) -> Any:
    return tf.math.floor(x)


@handles("Round", 11, 22)
def round_half_to_even(x: Any) -> Any:
    return tf.round(x)


@handles("Sqrt", 1, 6, 13)
def sqrt(x: Any) -> Any:
    return tf.sqrt(x)


@handles("Exp", 1, 6, 13)
def exp(x: Any) -> Any:
    return tf.exp(x)


@handles("Log", 1, 6, 13)
def log(x: Any) -> Any:
    return tf.math.log(x)


@handles("Erf", 9, 13)
def erf(x: Any) -> Any:
    return tf.math.erf(x)


@handles("Sin", 7, 22)
def sin(x: Any) -> Any:
    return tf.sin(x)


@handles("Cos", 7, 22)
def cos(x: Any) -> Any:
    return tf.cos(x)


@handles("Tan", 7, 22)
def tan(x: Any) -> Any:
    return tf.sin(x) / tf.cos(x)


@handles("Asin", 7, 22)
def asin(x: Any) -> Any:
    return tf.atan2(x, tf.sqrt((1 - x) * (1 + x)))


@handles("Acos", 7, 22)
def acos(x: Any) -> Any:
    return tf.atan2(tf.sqrt((1 - x) * (1 + x)), x)


@handles("Atan", 7, 22)
def atan(x: Any) -> Any:
    return tf.atan2(x, tf.ones_like(x))


@handles("Sinh", 9, 22)
def sinh(x: Any) -> Any:
    """Taylor series near 0 (the next term is x^11 / 11!), else e^x / 2 - e^-x / 2."""
    up, down = _half_exponentials(x)
    square = x * x
    series = x * (1 + square / 6 * (1 + square / 20 * (1 + square / 42 * (1 + square / 72))))
    return tf.where(tf.abs(x) < 1, series, up - down)


@handles("Cosh", 9, 22)
def cosh(x: Any) -> Any:
    up, down = _half_exponentials(x)
    return up + down


def _half_exponentials(x: Any) -> tuple[Any, Any]:
    """e^x / 2 and e^-x / 2, finite wherever their sum is finite."""
    root = tf.exp(x / 2)
    return root / 2 * root, 0.5 / root / root


@handles("Tanh", 1, 6, 13)
def tanh(x: Any) -> Any:
    return tf.tanh(x)


@handles("Asinh", 9, 22)
def asinh(x: Any) -> Any:
    return tf.asinh(x)


@handles("Acosh", 9, 22)
def acosh(x: Any) -> Any:
    return tf.acosh(x)


@handles("Atanh", 9, 22)
def atanh(x: Any) -> Any:
    return tf.atanh(x)


@handles("IsNaN", 9, 13, 20)
def is_nan(x: Any) -> Any:
    return tf.math.is_nan(x)


@handles("IsInf", 10, 20)
def is_inf(x: Any, *, detect_negative: int = 1, detect_positive: int = 1) -> Any:
    """Compare with the largest finite value: TensorFlow 2.21 writes infinite constants to TFLite as that value."""
    max_value = tf.constant(tf.as_dtype(x.dtype).max, x.dtype)
    if detect_negative and detect_positive:
        return tf.abs(x) > max_value
    if detect_negative or detect_positive:
        return x > max_value if detect_positive else x < -max_value
    return tf.zeros_like(x, tf.bool)


@handles("Clip", 11, 12, 13)
@widen_integers
def clip(x: Any, low: Any = None, high: Any = None) -> Any:
    y = clamp(x, low, high)
    return tf.identity(y) if high is None else y


@handles("Clip", 1, 6)
@widen_integers
def clip_between(x: Any, *, min: float | None = None, max: float | None = None) -> Any:
    return clip(x, *(None if bound is None else tf.cast(bound, x.dtype) for bound in (min, max)))
