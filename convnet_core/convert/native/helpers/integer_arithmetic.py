"""Arithmetic of integers by operations that LiteRT has, too; every result is exact."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from convnet_core.convert.native.helpers.shape_tensors import is_from_shapes
from convnet_core.convert.native.helpers.tensors import size_of, static_shape
from convnet_core.convert.native.lazy_tensorflow import tf

_DIVISIONS = 3
"""A float32 quotient has 22 right bits at least; three of them are more than 63."""

_MOST_MULTIPLIED = 2**16
"""Values of an integer matrix that are multiplied one by one with each row of another."""

_MOST_SUMMED = 2**24 // 255**2
"""Products of numbers up to 255 whose sum float32 holds exactly: 258."""


def divide(a: Any, b: Any) -> Any:
    """64-bit integers divided, rounded toward zero; LiteRT 2.3 divides no 64-bit integers.

    What is computed from shapes fits into 32 bits. Anything else is divided without its remainder, which LiteRT has:
    by float32, then the rest by float32 again, until nothing is left.
    """
    if is_from_shapes(a) and is_from_shapes(b):
        return tf.cast(tf.truncatediv(tf.cast(a, tf.int32), tf.cast(b, tf.int32)), tf.int64)
    left = tf.math.floormod(a, b)  # with the sign of b
    other_sign = tf.logical_and(tf.not_equal(left, 0), tf.not_equal(left < 0, a < 0))
    rest = a - tf.where(other_sign, left - b, left)
    total = tf.zeros_like(rest)
    for _ in range(_DIVISIONS):
        step = tf.cast(tf.round(tf.cast(rest, tf.float32) / tf.cast(b, tf.float32)), tf.int64)
        total, rest = total + step, rest - step * b
    return total


def matmul(a: Any, b: Any) -> Any:
    """The product of matrices of int32 or int64, as sums of products: LiteRT 2.3 multiplies no such matrices.

    They take too much memory where `b` is large or of unknown size.
    """
    count = math.prod(_MOST_MULTIPLIED + 1 if size is None else size for size in static_shape(b)[-2:])
    if count > _MOST_MULTIPLIED:
        return tf.matmul(a, b)
    return tf.reduce_sum(tf.expand_dims(a, -1) * tf.expand_dims(b, -3), -2)


def matmul_of_bytes(a: Any, b: Any) -> Any:
    """The int32 product of matrices of numbers from -255 to 255, in float32, which holds the sums of short rows.

    LiteRT 2.3 multiplies no matrices of int32; in TensorFlow, too, float32 is the faster.
    """
    count = size_of(a, -1)
    if not isinstance(count, int):
        return tf.matmul(a, b)
    a, b = tf.cast(a, tf.float32), tf.cast(b, tf.float32)
    parts = [slice(start, start + _MOST_SUMMED) for start in range(0, max(count, 1), _MOST_SUMMED)]
    if len(parts) == 1:
        return tf.cast(tf.matmul(a, b), tf.int32)
    return sum(tf.cast(tf.matmul(a[..., part], b[..., part, :]), tf.int32) for part in parts)


def invert_bits(x: Any) -> Any:
    """Every bit the other way round."""
    dtype = tf.as_dtype(x.dtype)
    if dtype == tf.uint64:
        return tf.bitwise.invert(x)
    wide = tf.int64 if dtype in (tf.uint32, tf.int64) else tf.int32
    return tf.cast(-1 - tf.cast(x, wide), dtype)


def bitwise_or(a: Any, b: Any) -> Any:
    """Each bit that one of the two has."""
    dtype = tf.as_dtype(a.dtype)
    if dtype.size == 8:
        return tf.bitwise.bitwise_or(a, b)
    a, b = _as_int32(a), _as_int32(b)
    return _from_int32(_shared_bits(a, b) + tf.bitwise.bitwise_xor(a, b), dtype)


def bitwise_and(a: Any, b: Any) -> Any:
    """Each bit that both have."""
    dtype = tf.as_dtype(a.dtype)
    if dtype.size == 8:
        return tf.bitwise.bitwise_and(a, b)
    return _from_int32(_shared_bits(_as_int32(a), _as_int32(b)), dtype)


def _shared_bits(a: Any, b: Any) -> Any:
    """The bits that two int32 share, by halves of 16 bits: LiteRT 2.3 has only exclusive or."""
    low = _shared_small_bits(tf.math.floormod(a, 2**16), tf.math.floormod(b, 2**16))
    return _shared_small_bits(tf.bitwise.right_shift(a, 16), tf.bitwise.right_shift(b, 16)) * 2**16 + low


def _shared_small_bits(a: Any, b: Any) -> Any:
    """Of int32 so small that their sum fits: it holds twice what they share, and once what they do not."""
    return tf.bitwise.right_shift(a + b - tf.bitwise.bitwise_xor(a, b), 1)


def _as_int32(x: Any) -> Any:
    return tf.bitcast(x, tf.int32) if x.dtype == tf.uint32 else tf.cast(x, tf.int32)


def _from_int32(x: Any, dtype: Any) -> Any:
    return tf.bitcast(x, dtype) if dtype == tf.uint32 else tf.cast(x, dtype)


def shift_bits(x: Any, y: Any, right: bool) -> Any:
    """The bits of `x` moved by `y` places. What is moved out is gone; a negative `y` moves all of them out."""
    dtype = tf.as_dtype(x.dtype)
    bits = 8 * dtype.size
    wide = tf.int32 if bits < 32 or dtype == tf.int32 else dtype if bits == 64 else tf.int64
    places = tf.cast(y, tf.int64)
    inside = tf.logical_and(places >= 0, places < bits)
    places = tf.where(inside, places, tf.zeros_like(places))
    if right:
        moved = _shift_right(x, places, tf.int32 if wide == tf.int32 else dtype)
    elif dtype == tf.uint64:
        moved = tf.bitwise.left_shift(x, tf.cast(places, dtype))
    else:  # LiteRT 2.3 shifts to the right alone
        moved = tf.cast(x, wide) * tf.gather(tf.cast(_POWERS, wide), places)
    out = tf.zeros_like(moved)
    if right and not dtype.is_unsigned:
        out = tf.where(moved < 0, out - 1, out)  # the sign stays
    return tf.cast(tf.where(inside, tf.cast(moved, wide), tf.cast(out, wide)), dtype)


_POWERS = np.left_shift(np.uint64(1), np.arange(64, dtype=np.uint64)).astype(np.int64)
"""Of 2, as far as they fit into int64; as int32, those from the 32nd on are 0, and are not asked for."""


def _shift_right(x: Any, places: Any, dtype: Any) -> Any:
    return tf.bitwise.right_shift(tf.cast(x, dtype), tf.cast(places, dtype))
