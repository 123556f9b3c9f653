"""Scatter operators."""

from __future__ import annotations

import math
from typing import Any

from convnet_core.convert.native.helpers.dtypes import widen_integers
from convnet_core.convert.native.helpers.tensors import pack_sizes, rank_of, reshape_to, shape_of, size_of
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.ops.indexing import flat_indices, index_depth, non_negative_indices
from convnet_core.convert.native.registry import handles
from convnet_core.errors import ConversionError
from convnet_core.language import _


@handles("Scatter", 9, static=("indices",))
@handles("Scatter", 11, static=("indices",))
@handles("ScatterElements", 11, 13, 16, 18, static=("indices",))
@widen_integers
def scatter_elements(x: Any, indices: Any, updates: Any, *, axis: int = 0, reduction: str = "none") -> Any:
    sizes = shape_of(x)
    positions = flat_indices(sizes, indices, axis % rank_of(x))
    flat = _scatter(tf.reshape(x, [-1]), tf.reshape(positions, [-1]), tf.reshape(updates, [-1]), reduction)
    return reshape_to(flat, sizes)


@handles("ScatterND", 11, 13, 16, 18, static=("indices",))
@widen_integers
def scatter_nd(x: Any, indices: Any, updates: Any, *, reduction: str = "none") -> Any:
    sizes, depth = shape_of(x), index_depth(indices)
    if 0 in [size for size in sizes if isinstance(size, int)]:  # TensorFlow 2.21 rejects updates of an empty tensor
        return x
    positions = non_negative_indices(tf.cast(indices, tf.int64), pack_sizes(sizes[:depth]))
    strides = pack_sizes([math.prod(sizes[axis + 1 : depth]) for axis in range(depth)])
    inner = math.prod(sizes[depth:])
    rows = _scatter(
        reshape_to(x, [math.prod(sizes[:depth]), inner]),
        tf.reshape(tf.reduce_sum(positions * strides, -1), [-1]),
        reshape_to(updates, [math.prod(shape_of(indices, 0, -1)), inner]),
        reduction,
    )
    return reshape_to(rows, sizes)


def _scatter(rows: Any, positions: Any, updates: Any, reduction: str) -> Any:
    """Update rows at these positions. Without a reduction, the last update of a row wins; with one, all combine."""
    if reduction == "none":
        return tf.tensor_scatter_nd_update(rows, positions[:, tf.newaxis], updates)
    reductions = {
        "add": (tf.math.unsorted_segment_sum, tf.add),
        "mul": (tf.math.unsorted_segment_prod, tf.multiply),
        "max": (tf.math.unsorted_segment_max, tf.maximum),
        "min": (tf.math.unsorted_segment_min, tf.minimum),
    }
    if reduction not in reductions:
        raise ConversionError(_("unknown reduction {reduction!r}", reduction=reduction))
    combine, merge = reductions[reduction]
    return merge(rows, combine(updates, positions, size_of(rows, 0)))


@handles("TensorScatter", 24, static=("write_indices",))
def tensor_scatter(cache: Any, update: Any, write_indices: Any = None, *, axis: int = -2, mode: str = "linear") -> Any:
    """Write an update into a cache along one axis, starting at a separate index for each batch item."""
    axis %= rank_of(cache)
    sizes, new = shape_of(cache), shape_of(update)
    positions = tf.range(tf.cast(new[axis], tf.int64))[tf.newaxis]
    if write_indices is not None:
        positions += tf.cast(write_indices, tf.int64)[:, tf.newaxis]
    if mode == "circular":
        positions %= tf.cast(sizes[axis], tf.int64)
    broadcast = [new[position] if position == axis else -1 if position == 0 else 1 for position in range(len(new))]
    indices = tf.broadcast_to(tf.reshape(positions, pack_sizes(broadcast)), pack_sizes(new))
    return scatter_elements(cache, indices, update, axis=axis)
