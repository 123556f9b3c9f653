"""Slices, gathers and selections."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from convnet_core.convert.native.helpers.shape_tensors import (
    entries,
    fill_axes,
    join_entries,
    partial_entries,
    scalar_like,
)
from convnet_core.convert.native.helpers.tensors import (
    pack_sizes,
    rank_of,
    reshape_to,
    shape_of,
    size_of,
    static_value,
    swap_axes,
)
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.registry import handles
from convnet_core.errors import ConversionError
from convnet_core.language import N_, _

_END = 2**31 - 1
"""Beyond every end. TFLite slices with 32-bit indices."""


@handles("Slice", 1)
def slice_1(x: Any, *, starts: list[int], ends: list[int], axes: list[int] | None = None) -> Any:
    return slice_(x, np.array(starts), np.array(ends), None if axes is None else np.array(axes))


@handles("Slice", 10, 11, 13)
def slice_(x: Any, starts: Any, ends: Any, axes: Any = None, steps: Any = None) -> Any:
    rank, begins = rank_of(x), entries(starts, N_("the starts"))
    count = len(begins)
    axes = np.arange(count) if axes is None else axes
    begins, limits, strides = (
        fill_axes(values, axes, [default] * rank)
        for values, default in ((begins, 0), (ends, _END), ([1] * count if steps is None else steps, 1))
    )
    index = [_slice(*item) for item in zip(begins, limits, strides, strict=True)]
    if (known_entries := partial_entries(x)) is not None and len(index) == 1 and _is_static(index[0]):
        return join_entries(known_entries[index[0]], x)
    if all(item == slice(None) for item in index):
        return tf.identity(x)
    return (tf.constant(x) if isinstance(x, np.ndarray) else x)[tuple(index)]


def _slice(begin: Any, limit: Any, stride: Any) -> slice:
    """A Python slice, with None for the ends of the dimension, so that TensorFlow can infer its size."""
    begin, limit = (max(min(item, _END), -_END) if isinstance(item, int) else item for item in (begin, limit))
    if isinstance(stride, int):
        begin = None if isinstance(begin, int) and begin == (0 if stride > 0 else _END) else begin
        limit = None if isinstance(limit, int) and limit == (_END if stride > 0 else -_END) else limit
    begin, limit = (
        item if item is None or isinstance(item, int) else tf.cast(item, tf.int64) for item in (begin, limit)
    )
    return slice(begin, limit, None if isinstance(stride, int) and stride == 1 else stride)


def _is_static(index: slice) -> bool:
    return all(item is None or isinstance(item, int) for item in (index.start, index.stop, index.step))


@handles("Gather", 1, 11, 13, static=("indices",))
def gather(x: Any, indices: Any, *, axis: int = 0) -> Any:
    known_entries, positions = partial_entries(x), static_value(indices)
    if known_entries is not None and rank_of(x) == 1 and positions is not None and positions.ndim < 2:
        return (
            scalar_like(known_entries[positions], x)
            if positions.ndim == 0
            else join_entries([known_entries[item] for item in positions], x)
        )
    axis %= rank_of(x)
    x = tf.convert_to_tensor(x)  # TensorFlow 2.21 fails to freeze a loop that gathers directly from a variable
    return tf.gather(x, non_negative_indices(indices, size_of(x, axis)), axis=axis)


def non_negative_indices(indices: Any, sizes: Any) -> Any:
    """Convert negative indices, which count from the end, to non-negative ones."""
    positions = static_value(indices)
    if positions is not None:
        if (positions >= 0).all():
            return positions
        if isinstance(sizes, int | np.ndarray):
            return np.where(positions < 0, positions + sizes, positions)
    indices = tf.cast(indices, tf.int64) if not isinstance(sizes, int) else tf.convert_to_tensor(indices)
    return tf.where(indices < 0, indices + tf.cast(sizes, indices.dtype), indices)


@handles("GatherElements", 11, 13, static=("indices",))
def gather_elements(x: Any, indices: Any, *, axis: int = 0) -> Any:
    return tf.gather(tf.reshape(x, [-1]), flat_indices(shape_of(x), indices, axis % rank_of(x)))


def flat_indices(sizes: list[Any], indices: Any, axis: int) -> Any:
    """Positions in the flattened tensor of these sizes that indices along one axis point to.

    Along all other axes, an index keeps its own position.
    """
    total = non_negative_indices(tf.cast(indices, tf.int64), sizes[axis]) * math.prod(sizes[axis + 1 :])
    for other, count in enumerate(shape_of(indices)):
        if other != axis:
            steps = tf.range(tf.cast(count, tf.int64)) * math.prod(sizes[other + 1 :])
            total += tf.reshape(steps, [-1 if position == other else 1 for position in range(len(sizes))])
    return total


@handles("GatherND", 11, 12, 13, static=("indices",))
def gather_nd(x: Any, indices: Any, *, batch_dims: int = 0) -> Any:
    depth = index_depth(indices)
    sizes = pack_sizes(shape_of(x)[batch_dims : batch_dims + depth])
    x = tf.convert_to_tensor(x)  # TFLite's converter does not support ResourceGatherNd, which gathers from a variable
    return tf.gather_nd(x, non_negative_indices(indices, sizes), batch_dims=batch_dims)


def index_depth(indices: Any) -> int:
    """How many axes each index covers. Raises ConversionError if unknown."""
    depth = indices.shape[-1]
    if depth is None:
        raise ConversionError(_("the size of an index is unknown"))
    return int(depth)


@handles("Compress", 9, 11, 28)
def compress(x: Any, condition: Any, *, axis: int | None = None) -> Any:
    positions = tf.reshape(tf.where(condition), [-1])
    return (
        tf.gather(tf.reshape(x, [-1]), positions) if axis is None else tf.gather(x, positions, axis=axis % rank_of(x))
    )


@handles("ReverseSequence", 10, 28)
def reverse_sequence(x: Any, sequence_lens: Any, *, batch_axis: int = 1, time_axis: int = 0) -> Any:
    return (
        reverse_steps(x, sequence_lens)
        if time_axis == 0
        else swap_axes(reverse_steps(swap_axes(x, 0, 1), sequence_lens), 0, 1)
    )


def reverse_steps(x: Any, lengths: Any) -> Any:
    """Reverse the first `lengths` steps of each sequence in x [steps, batch, ...].

    Gathers rows, because LiteRT 2.3 supports ReverseSequence neither for int8 nor for 16-bit floats.
    """
    steps, batch, *rest = shape_of(x)
    position, length = tf.range(tf.cast(steps, tf.int32))[:, tf.newaxis], tf.cast(lengths, tf.int32)
    source = tf.where(position < length, length - 1 - position, position)
    batch32 = tf.cast(batch, tf.int32)
    rows = tf.gather(reshape_to(x, [steps * batch, *rest]), source * batch32 + tf.range(batch32))
    return reshape_to(rows, [steps, batch, *rest])
