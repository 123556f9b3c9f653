"""Arithmetic between tensors, which ONNX broadcasts as NumPy does (before version 7: from dimension `axis` on)."""

from __future__ import annotations

import functools
from typing import Any

from convnet_core.convert.native.dtypes import HALVES, SMALL_INTEGERS, cast_around
from convnet_core.convert.native.lazy import tf
from convnet_core.convert.native.registry import handles
from convnet_core.convert.native.values import aligned, known


@handles("Add", 1, 6, 7, 13, 14)
def add(a: Any, b: Any, *, broadcast: int = 0, axis: int | None = None) -> Any:
    return tf.add(a, aligned(a, b, axis))


@handles("Sub", 1, 6, 7, 13, 14)
def sub(a: Any, b: Any, *, broadcast: int = 0, axis: int | None = None) -> Any:
    return tf.subtract(a, aligned(a, b, axis))


@handles("Mul", 1, 6, 7, 13, 14)
def mul(a: Any, b: Any, *, broadcast: int = 0, axis: int | None = None) -> Any:
    return tf.multiply(a, aligned(a, b, axis))


@handles("Div", 1, 6, 7, 13, 14)
def div(a: Any, b: Any, *, broadcast: int = 0, axis: int | None = None) -> Any:
    divide = tf.math.truediv if tf.as_dtype(a.dtype).is_floating else tf.truncatediv
    return divide(a, aligned(a, b, axis))


@handles("Pow", 1, 7, 12, 13, 15)
def power(x: Any, y: Any, *, broadcast: int = 0, axis: int | None = None) -> Any:
    """The dtypes may differ; the result has that of `x`."""
    dtype, exponent = tf.as_dtype(x.dtype), tf.as_dtype(y.dtype)
    wide = dtype
    if dtype.is_integer:
        wide = tf.float64 if exponent.is_floating else dtype if dtype in (tf.int32, tf.int64) else tf.int64
    return tf.cast(tf.pow(tf.cast(x, wide), tf.cast(aligned(x, y, axis), wide)), dtype)


@handles("Mod", 10, 13, 28)
def mod(a: Any, b: Any, *, fmod: int = 0) -> Any:
    """With `fmod` the result has the sign of `a`; of TensorFlow's two remainders LiteRT has the other one alone."""
    if not fmod or tf.as_dtype(a.dtype).is_unsigned:
        return tf.math.floormod(a, b)
    wide = tf.float32 if tf.as_dtype(a.dtype).is_floating else tf.int32
    return cast_around(_remainder, a, b, when=HALVES | SMALL_INTEGERS, to=wide)


def _remainder(a: Any, b: Any) -> Any:
    size = tf.math.floormod(tf.maximum(a, -a), tf.maximum(b, -b))
    return tf.where(a < 0, -size, size)


@handles("Max", 1, 6, 8, 12, 13)
def maximum(*xs: Any) -> Any:
    return tf.identity(functools.reduce(tf.maximum, xs))


@handles("Min", 1, 6, 8, 12, 13)
def minimum(*xs: Any) -> Any:
    return tf.identity(functools.reduce(tf.minimum, xs))


@handles("Sum", 1, 6, 8, 13)
def total(*xs: Any) -> Any:
    return tf.identity(functools.reduce(tf.add, xs))


@handles("Mean", 1, 6, 8, 13)
def mean(*xs: Any) -> Any:
    return total(*xs) / len(xs)


@handles("BitwiseAnd", 18)
def bitwise_and(a: Any, b: Any) -> Any:
    return tf.bitwise.bitwise_and(a, b)


@handles("BitwiseOr", 18)
def bitwise_or(a: Any, b: Any) -> Any:
    return tf.bitwise.bitwise_or(a, b)


@handles("BitwiseXor", 18)
def bitwise_xor(a: Any, b: Any) -> Any:
    return tf.bitwise.bitwise_xor(a, b)


@handles("BitwiseNot", 18)
def bitwise_not(x: Any) -> Any:
    return tf.bitwise.invert(x)


@handles("BitShift", 11, 28)
def bit_shift(x: Any, y: Any, *, direction: str) -> Any:
    """Where `y` is negative or at least the number of bits, all bits are shifted out; TensorFlow leaves one."""
    dtype = tf.as_dtype(x.dtype)
    bits, right = 8 * dtype.size, direction == "RIGHT"
    shift = tf.bitwise.right_shift if right else tf.bitwise.left_shift
    amounts = known(y)
    if amounts is not None and ((amounts >= 0) & (amounts < bits)).all():
        return shift(x, y)
    emptied = tf.zeros([], dtype) if dtype.is_unsigned or not right else shift(x, tf.cast(bits - 1, dtype))
    inside = tf.less(tf.cast(y, tf.uint64), tf.cast(bits, tf.uint64))  # what is negative becomes very large
    return tf.where(inside, shift(x, y), emptied)
