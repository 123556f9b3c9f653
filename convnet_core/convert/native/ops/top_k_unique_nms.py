"""TopK, Unique, Trilu and EyeLike."""

from __future__ import annotations

from typing import Any

import numpy as np

from convnet_core.convert.native.helpers.dtypes import as_dtype, widen_integers
from convnet_core.convert.native.helpers.integer_arithmetic import invert_bits
from convnet_core.convert.native.helpers.tensors import as_scalar, rank_of, shape_of, swap_axes
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.registry import handles


@handles("TopK", 11, 24)
def top_k(x: Any, k: Any, *, axis: int = -1, largest: int = 1, sorted: int = 1) -> Any:
    dtype = tf.as_dtype(x.dtype)
    flip = (lambda x: x) if largest else invert_bits if dtype.is_integer else tf.negative
    values, positions = tf.math.top_k(flip(swap_axes(x, axis)), tf.cast(as_scalar(k), tf.int32), bool(sorted))
    return flip(swap_axes(values, axis)), tf.cast(swap_axes(positions, axis), tf.int64)


@handles("TopK", 10)
def top_k_of_largest(x: Any, k: Any, *, axis: int = -1) -> Any:
    return top_k(x, k, axis=axis)


@handles("TopK", 1)
def top_k_of_fixed(x: Any, *, k: int, axis: int = -1) -> Any:
    return top_k(x, np.array(k), axis=axis)


@handles("Trilu", 14)
@widen_integers
def trilu(x: Any, k: Any = None, *, upper: int = 1) -> Any:
    distance = _diagonal_offset(x)
    first = tf.cast(0 if k is None else as_scalar(k), distance.dtype)
    return tf.where(distance >= first if upper else distance <= first, x, tf.zeros([], x.dtype))


@handles("EyeLike", 9, 22)
def eye_like(x: Any, *, dtype: Any = None, k: int = 0) -> Any:
    return tf.cast(tf.equal(_diagonal_offset(x), k), as_dtype(dtype or x.dtype))


def _diagonal_offset(x: Any) -> Any:
    """How far right of the diagonal each element of a matrix is."""
    rows, columns = (tf.range(tf.cast(size, tf.int32)) for size in shape_of(x, -2))
    return columns - rows[:, None]


@handles("Unique", 11, 28)
def unique(x: Any, *, axis: int | None = None, sorted: int = 1) -> Any:
    x = tf.reshape(x, [-1]) if axis is None else tf.convert_to_tensor(x)
    along = 0 if axis is None else axis % rank_of(x)
    values, inverse, counts = tf.raw_ops.UniqueWithCountsV2(x=x, axis=[along], out_idx=tf.int64)
    number = tf.shape(counts, out_type=tf.int64)[0]
    positions = tf.range(tf.shape(inverse, out_type=tf.int64)[0])
    first = tf.math.unsorted_segment_min(positions, inverse, number)
    if sorted:
        order = _lexicographic_order(swap_axes(values, along, 0))
        values, first, counts = tf.gather(values, order, axis=along), tf.gather(first, order), tf.gather(counts, order)
        inverse = tf.gather(tf.argsort(order), inverse)
    return values, first, tf.cast(inverse, tf.int64), counts


def _lexicographic_order(x: Any) -> Any:
    """Sort slices by their first value, then by the second, and so on; returns their order."""
    if x.dtype == tf.bool:
        x = tf.cast(x, tf.int32)
    rows = tf.reshape(x, [tf.shape(x)[0], -1]) if rank_of(x) > 1 else x[:, None]
    order = tf.range(tf.shape(rows)[0])
    columns = tf.shape(rows)[1]

    def sort(done: Any, order: Any) -> Any:
        column = tf.gather(rows[:, columns - 1 - done], order)
        return done + 1, tf.gather(order, tf.argsort(column, stable=True))

    return tf.while_loop(lambda done, _: done < columns, sort, (tf.constant(0), order))[1]
