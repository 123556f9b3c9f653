"""Exact integer arithmetic from operations that LiteRT supports."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from convnet_core.convert.native.helpers.shape_tensors import is_from_shapes
from convnet_core.convert.native.helpers.tensors import size_of, static_shape
from convnet_core.convert.native.lazy_tensorflow import tf

_DIVISION_STEPS = 3
"""A float32 quotient has at least 22 correct bits, so three steps cover 63 bits."""

_BROADCAST_LIMIT = 2**16
"""Largest matrix to multiply by broadcasting."""

_EXACT_PRODUCTS = 2**24 // 255**2
"""How many products of numbers up to 255 float32 can add up exactly: 258."""


def divide(a: Any, b: Any) -> Any:
    """Divide 64-bit integers, rounding toward zero. LiteRT 2.3 cannot divide 64-bit integers.

    Sizes fit in 32 bits. For other values, subtract the remainder, which LiteRT can compute, then divide in float32
    and divide what is left again until it is zero.
    """
    if is_from_shapes(a) and is_from_shapes(b):
        return tf.cast(tf.truncatediv(tf.cast(a, tf.int32), tf.cast(b, tf.int32)), tf.int64)
    left = tf.math.floormod(a, b)  # with the sign of b
    other_sign = tf.logical_and(tf.not_equal(left, 0), tf.not_equal(left < 0, a < 0))
    rest = a - tf.where(other_sign, left - b, left)
    total = tf.zeros_like(rest)
    for _ in range(_DIVISION_STEPS):
        step = tf.cast(tf.round(tf.cast(rest, tf.float32) / tf.cast(b, tf.float32)), tf.int64)
        total, rest = total + step, rest - step * b
    return total


def matmul(a: Any, b: Any) -> Any:
    """Multiply int32 or int64 matrices as sums of products, because LiteRT 2.3 cannot.

    Falls back to `tf.matmul` if `b` is large or its size is unknown, because the products need too much memory.
    """
    count = math.prod(_BROADCAST_LIMIT + 1 if size is None else size for size in static_shape(b)[-2:])
    if count > _BROADCAST_LIMIT:
        return tf.matmul(a, b)
    return tf.reduce_sum(tf.expand_dims(a, -1) * tf.expand_dims(b, -3), -2)


def matmul_of_bytes(a: Any, b: Any) -> Any:
    """The int32 product of matrices with values from -255 to 255, computed in float32 in exact chunks.

    LiteRT 2.3 cannot multiply int32 matrices, and in TensorFlow float32 is faster too.
    """
    count = size_of(a, -1)
    if not isinstance(count, int):
        return tf.matmul(a, b)
    a, b = tf.cast(a, tf.float32), tf.cast(b, tf.float32)
    parts = [slice(start, start + _EXACT_PRODUCTS) for start in range(0, max(count, 1), _EXACT_PRODUCTS)]
    if len(parts) == 1:
        return tf.cast(tf.matmul(a, b), tf.int32)
    return sum(tf.cast(tf.matmul(a[..., part], b[..., part, :]), tf.int32) for part in parts)


def invert_bits(x: Any) -> Any:
    """Invert every bit."""
    dtype = tf.as_dtype(x.dtype)
    if dtype == tf.uint64:
        return tf.bitwise.invert(x)
    wide = tf.int64 if dtype in (tf.uint32, tf.int64) else tf.int32
    return tf.cast(-1 - tf.cast(x, wide), dtype)


def bitwise_or(a: Any, b: Any) -> Any:
    """Bitwise or."""
    dtype = tf.as_dtype(a.dtype)
    if dtype.size == 8:
        return tf.bitwise.bitwise_or(a, b)
    a, b = _as_int32(a), _as_int32(b)
    return _from_int32(_shared_bits(a, b) + tf.bitwise.bitwise_xor(a, b), dtype)


def bitwise_and(a: Any, b: Any) -> Any:
    """Bitwise and."""
    dtype = tf.as_dtype(a.dtype)
    if dtype.size == 8:
        return tf.bitwise.bitwise_and(a, b)
    return _from_int32(_shared_bits(_as_int32(a), _as_int32(b)), dtype)


def _shared_bits(a: Any, b: Any) -> Any:
    """Bitwise and of int32, in 16-bit halves: LiteRT 2.3 has only exclusive or."""
    low = _shared_small_bits(tf.math.floormod(a, 2**16), tf.math.floormod(b, 2**16))
    return _shared_small_bits(tf.bitwise.right_shift(a, 16), tf.bitwise.right_shift(b, 16)) * 2**16 + low


def _shared_small_bits(a: Any, b: Any) -> Any:
    """Bitwise and of small int32: their sum is twice the shared bits plus the exclusive or."""
    return tf.bitwise.right_shift(a + b - tf.bitwise.bitwise_xor(a, b), 1)


def _as_int32(x: Any) -> Any:
    return tf.bitcast(x, tf.int32) if x.dtype == tf.uint32 else tf.cast(x, tf.int32)


def _from_int32(x: Any, dtype: Any) -> Any:
    return tf.bitcast(x, dtype) if dtype == tf.uint32 else tf.cast(x, dtype)


def shift_bits(x: Any, y: Any, right: bool) -> Any:
    """Shift the bits of `x` by `y`. Bits shifted out are lost; a negative `y` shifts out all bits."""
    dtype = tf.as_dtype(x.dtype)
    bits = 8 * dtype.size
    wide = tf.int32 if bits < 32 or dtype == tf.int32 else dtype if bits == 64 else tf.int64
    positions = tf.cast(y, tf.int64)
    inside = tf.logical_and(positions >= 0, positions < bits)
    positions = tf.where(inside, positions, tf.zeros_like(positions))
    if right:
        shifted = _shift_right(x, positions, tf.int32 if wide == tf.int32 else dtype)
    elif dtype == tf.uint64:
        shifted = tf.bitwise.left_shift(x, tf.cast(positions, dtype))
    else:  # LiteRT 2.3 can only shift right
        shifted = tf.cast(x, wide) * tf.gather(tf.cast(_POWERS, wide), positions)
    out = tf.zeros_like(shifted)
    if right and not dtype.is_unsigned:
        out = tf.where(shifted < 0, out - 1, out)  # keep the sign
    return tf.cast(tf.where(inside, tf.cast(shifted, wide), tf.cast(out, wide)), dtype)


_POWERS = np.left_shift(np.uint64(1), np.arange(64, dtype=np.uint64)).astype(np.int64)
"""Powers of 2 that fit in int64. Cast to int32, those from the 32nd on are 0; they are never used."""


def _shift_right(x: Any, positions: Any, dtype: Any) -> Any:
    return tf.bitwise.right_shift(tf.cast(x, dtype), tf.cast(positions, dtype))
