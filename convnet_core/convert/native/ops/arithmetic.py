"""Arithmetic with NumPy broadcasting (before version 7: aligned at dimension `axis`)."""

from __future__ import annotations

import functools
from typing import Any

from convnet_core.convert.native.helpers import integer_arithmetic
from convnet_core.convert.native.helpers.dtypes import HALVES, cast_around, widen_integers
from convnet_core.convert.native.helpers.tensors import align, clamp
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.registry import handles


@handles("Add", 1, 6, 7, 13, 14)
@widen_integers
def add(a: Any, b: Any, *, broadcast: int = 0, axis: int | None = None) -> Any:
    return tf.add(a, align(a, b, axis))


@handles("Sub", 1, 6, 7, 13, 14)
@widen_integers
def sub(a: Any, b: Any, *, broadcast: int = 0, axis: int | None = None) -> Any:
    return tf.subtract(a, align(a, b, axis))


@handles("Mul", 1, 6, 7, 13, 14)
@widen_integers
def mul(a: Any, b: Any, *, broadcast: int = 0, axis: int | None = None) -> Any:
    return tf.multiply(a, align(a, b, axis))


@handles("Div", 1, 6, 7, 13, 14)
@widen_integers
def div(a: Any, b: Any, *, broadcast: int = 0, axis: int | None = None) -> Any:
    b = align(a, b, axis)
    if tf.as_dtype(a.dtype).is_floating:
        return tf.math.truediv(a, b)
    return integer_arithmetic.divide(a, b) if a.dtype == tf.int64 else tf.truncatediv(a, b)


@handles("Pow", 1, 7, 12, 13, 15)
def power(x: Any, y: Any, *, broadcast: int = 0, axis: int | None = None) -> Any:
    """The dtypes may differ; the result has the dtype of `x`."""
    dtype, exponent = tf.as_dtype(x.dtype), tf.as_dtype(y.dtype)
    wide = dtype
    if dtype.is_integer:
        wide = tf.float64 if exponent.is_floating else dtype if dtype in (tf.int32, tf.int64) else tf.int64
    return tf.cast(tf.pow(tf.cast(x, wide), tf.cast(align(x, y, axis), wide)), dtype)


@handles("Mod", 10, 13, 28)
@widen_integers
def mod(a: Any, b: Any, *, fmod: int = 0) -> Any:
    """With `fmod` the result has the sign of `a`, computed from floormod because LiteRT lacks truncatemod."""
    if not fmod or tf.as_dtype(a.dtype).is_unsigned:
        return tf.math.floormod(a, b)
    return cast_around(_remainder, a, b, when=HALVES, to=tf.float32)


def _remainder(a: Any, b: Any) -> Any:
    size = tf.math.floormod(tf.maximum(a, -a), tf.maximum(b, -b))
    return tf.where(a < 0, -size, size)


@handles("Max", 1, 6, 8, 12, 13)
@widen_integers
def maximum(*xs: Any) -> Any:
    return tf.identity(functools.reduce(lambda x, y: clamp(x, low=y), xs))


@handles("Min", 1, 6, 8, 12, 13)
@widen_integers
def minimum(*xs: Any) -> Any:
    return tf.identity(functools.reduce(lambda x, y: clamp(x, high=y), xs))


@handles("Sum", 1, 6, 8, 13)
@widen_integers
def total(*xs: Any) -> Any:
    return tf.identity(functools.reduce(tf.add, xs))


@handles("Mean", 1, 6, 8, 13)
def mean(*xs: Any) -> Any:
    return total(*xs) / len(xs)


@handles("BitwiseAnd", 18)
def bitwise_and(a: Any, b: Any) -> Any:
    return integer_arithmetic.bitwise_and(a, b)


@handles("BitwiseOr", 18)
def bitwise_or(a: Any, b: Any) -> Any:
    return integer_arithmetic.bitwise_or(a, b)


@handles("BitwiseXor", 18)
def bitwise_xor(a: Any, b: Any) -> Any:
    return tf.bitwise.bitwise_xor(a, b)


@handles("BitwiseNot", 18)
def bitwise_not(x: Any) -> Any:
    return integer_arithmetic.invert_bits(x)


@handles("BitShift", 11, 28)
def bit_shift(x: Any, y: Any, *, direction: str) -> Any:
    """A negative `y`, or one of at least the number of bits, shifts out all bits."""
    return integer_arithmetic.shift_bits(x, y, direction == "RIGHT")
