"""Writing values by their places."""

from __future__ import annotations

import math
from typing import Any

from convnet_core.convert.native.helpers.dtypes import widen_integers
from convnet_core.convert.native.helpers.tensors import pack_sizes, rank_of, reshape_to, shape_of, size_of
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.ops.indexing import flat_indices, index_depth, non_negative_indices
from convnet_core.convert.native.registry import handles
from convnet_core.errors import ConversionError


@handles("Scatter", 9, static=("indices",))
@handles("Scatter", 11, static=("indices",))
@handles("ScatterElements", 11, 13, 16, 18, static=("indices",))
@widen_integers
def scatter_elements(x: Any, indices: Any, updates: Any, *, axis: int = 0, reduction: str = "none") -> Any:
    sizes = shape_of(x)
    places = flat_indices(sizes, indices, axis % rank_of(x))
    flat = _scatter(tf.reshape(x, [-1]), tf.reshape(places, [-1]), tf.reshape(updates, [-1]), reduction)
    return reshape_to(flat, sizes)


@handles("ScatterND", 11, 13, 16, 18, static=("indices",))
@widen_integers
def scatter_nd(x: Any, indices: Any, updates: Any, *, reduction: str = "none") -> Any:
    sizes, depth = shape_of(x), index_depth(indices)
    if any(
        isinstance(size, int) and size == 0 for size in sizes
    ):  # nothing to write to; TensorFlow 2.21 refuses places in rows without values
        return x
    places = non_negative_indices(tf.cast(indices, tf.int64), pack_sizes(sizes[:depth]))
    strides = pack_sizes([math.prod(sizes[axis + 1 : depth]) for axis in range(depth)])
    inner = math.prod(sizes[depth:])
    rows = _scatter(
        reshape_to(x, [math.prod(sizes[:depth]), inner]),
        tf.reshape(tf.reduce_sum(places * strides, -1), [-1]),
        reshape_to(updates, [math.prod(shape_of(indices, 0, -1)), inner]),
        reduction,
    )
    return reshape_to(rows, sizes)


def _scatter(rows: Any, places: Any, updates: Any, reduction: str) -> Any:
    """The rows at these places changed. Of several changes to one row, the last counts, or all by a reduction."""
    if reduction == "none":
        return tf.tensor_scatter_nd_update(rows, places[:, tf.newaxis], updates)
    reductions = {
        "add": (tf.math.unsorted_segment_sum, tf.add),
        "mul": (tf.math.unsorted_segment_prod, tf.multiply),
        "max": (tf.math.unsorted_segment_max, tf.maximum),
        "min": (tf.math.unsorted_segment_min, tf.minimum),
    }
    if reduction not in reductions:
        raise ConversionError(f"no reduction {reduction!r}")
    combine, merge = reductions[reduction]
    return merge(rows, combine(updates, places, size_of(rows, 0)))


@handles("TensorScatter", 24, static=("write_indices",))
def tensor_scatter(cache: Any, update: Any, write_indices: Any = None, *, axis: int = -2, mode: str = "linear") -> Any:
    """Writes an update into a cache along one dimension, from a place of its own in each item of the batch."""
    axis %= rank_of(cache)
    sizes, new = shape_of(cache), shape_of(update)
    places = tf.range(tf.cast(new[axis], tf.int64))[tf.newaxis]
    if write_indices is not None:
        places += tf.cast(write_indices, tf.int64)[:, tf.newaxis]
    if mode == "circular":
        places %= tf.cast(sizes[axis], tf.int64)
    whole = [new[place] if place == axis else -1 if place == 0 else 1 for place in range(len(new))]
    indices = tf.broadcast_to(tf.reshape(places, pack_sizes(whole)), pack_sizes(new))
    return scatter_elements(cache, indices, update, axis=axis)
