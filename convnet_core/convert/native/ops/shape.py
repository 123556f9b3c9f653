"""Shape queries, and operators that change only the shape or the order of dimensions."""

from __future__ import annotations

import functools
import math
import operator
from typing import Any

import numpy as np

from convnet_core.convert.native.helpers.shape_tensors import (
    entries,
    fill_axes,
    join_entries,
    partial_entries,
    scalar_like,
    source_axis,
)
from convnet_core.convert.native.helpers.tensors import (
    normalize_axes,
    pack_sizes,
    rank_of,
    rearrange,
    require_constant,
    reshape_to,
    shape_of,
    size_of,
    static_shape,
    static_value,
)
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.registry import handles
from convnet_core.language import N_


@handles("Identity", 1, 13, 14, 16, 19, 21, 23, 24, 25)
def identity(x: Any) -> Any:
    return list(x) if isinstance(x, list) else x if x is None else tf.identity(x)


@handles("Transpose", 1, 13, 21, 23, 24, 25)
def transpose(x: Any, *, perm: list[int] | None = None) -> Any:
    order = perm or list(range(rank_of(x)))[::-1]
    known_sizes = static_shape(x)
    moved = [axis for axis in order if known_sizes[axis] != 1]
    if moved == sorted(moved):  # only dimensions of size 1 move
        return rearrange(x, lambda sizes: [sizes[axis] for axis in order])
    if len(order) <= _MOST_DIMENSIONS:
        return tf.transpose(x, order)
    sizes, groups = shape_of(x), _adjacent_runs(order)
    sorted_groups = sorted(range(len(groups)), key=lambda index: groups[index][0])
    group_sizes = [functools.reduce(operator.mul, [sizes[axis] for axis in groups[index]]) for index in sorted_groups]
    group_order = [sorted_groups.index(index) for index in range(len(groups))]
    return reshape_to(tf.transpose(reshape_to(x, group_sizes), group_order), [sizes[axis] for axis in order])


_MOST_DIMENSIONS = 6
"""Most dimensions that LiteRT's Transpose supports; dimensions that stay adjacent count as one."""


def _adjacent_runs(order: list[int]) -> list[list[int]]:
    """Split a permutation into runs of adjacent dimensions: [0, 2, 3, 1] gives [[0], [2, 3], [1]]."""
    runs: list[list[int]] = []
    for axis in order:
        if runs and axis == runs[-1][-1] + 1:
            runs[-1].append(axis)
        else:
            runs.append([axis])
    return runs


@handles("Shape", 1, 13, 15, 19, 21, 23, 24, 25)
def shape(x: Any, *, start: int = 0, end: int | None = None) -> Any:
    return pack_sizes(shape_of(x, start, end))


@handles("Size", 1, 13, 19, 21, 23, 24, 25)
def size(x: Any) -> Any:
    count = math.prod(shape_of(x))
    return np.array(count, np.int64) if isinstance(count, int) else count


@handles("Reshape", 1)
def reshape_1(x: Any, *, shape: list[int], consumed_inputs: list[int] | None = None) -> Any:
    return reshape(x, np.array(shape, np.int64))


@handles("Reshape", 5, 13, 14, 19, 21, 23, 24, 25)
def reshape(x: Any, shape: Any, *, allowzero: int = 0) -> Any:
    if static_value(shape) is None and shape.shape.num_elements() is None:
        return tf.reshape(x, shape if allowzero else _fill_zeros(x, shape))  # even the rank is unknown
    sizes = entries(shape)
    if not allowzero:  # 0 copies the input size
        sizes = [_size_or_input_size(size, x, axis) for axis, size in enumerate(sizes)]
    if -1 not in [size for size in sizes if isinstance(size, int)]:
        return reshape_to(x, sizes)
    rest = _inferred_size(x, sizes)
    if rest is None:
        return tf.reshape(x, pack_sizes(sizes))
    return reshape_to(x, [rest if _equals(size, -1) else size for size in sizes])


def _fill_zeros(x: Any, shape: Any) -> Any:
    """Replace 0 in a target shape of unknown length by the input size."""
    before = tf.concat([tf.shape(x, out_type=shape.dtype), tf.zeros_like(shape)], 0)[: tf.size(shape)]
    return tf.where(shape == 0, before, shape)


def _equals(size: Any, number: int) -> bool:
    return isinstance(size, int) and size == number


def _size_or_input_size(size: Any, x: Any, axis: int) -> Any:
    """A target size; if it is 0 (possibly known only at run time), the size of this dimension of `x`."""
    if axis >= rank_of(x):
        return size
    if isinstance(size, int):
        return size if size else size_of(x, axis)
    if source_axis(size, None) is not None:  # it is a dimension, which is 0 only if the tensor is empty
        return size
    return tf.where(size == 0, tf.cast(size_of(x, axis), size.dtype), size)


def _inferred_size(x: Any, sizes: list[Any]) -> int | None:
    """The size that -1 in a target stands for, or None if unknown. Dynamic sizes that are kept cancel out."""
    before = static_shape(x)
    known_before = [size for size in before if isinstance(size, int)]
    known_after = [size for size in sizes if isinstance(size, int) and size != -1]
    dynamic = {axis for axis, size in enumerate(before) if not isinstance(size, int)}
    for size in sizes:
        if isinstance(size, int):
            continue
        axis = source_axis(size, x)
        if axis not in dynamic:
            return None
        dynamic.remove(axis)
    return None if dynamic or not math.prod(known_after) else math.prod(known_before) // math.prod(known_after)


@handles("Flatten", 1, 9, 11, 13, 21, 23, 24, 25)
def flatten(x: Any, *, axis: int = 1) -> Any:
    axis = axis + rank_of(x) if axis < 0 else axis
    return rearrange(x, lambda sizes: [math.prod(sizes[:axis]), math.prod(sizes[axis:])])


@handles("Squeeze", 1, 11)
def squeeze_1(x: Any, *, axes: list[int] | None = None) -> Any:
    return squeeze(x, axes)


@handles("Squeeze", 13, 21, 23, 24, 25)
def squeeze(x: Any, axes: Any = None) -> Any:
    known_entries = partial_entries(x)
    if (
        known_entries is not None
        and rank_of(x) == len(known_entries) == 1
        and (axes is None or len(entries(axes)) == 1)
    ):
        return scalar_like(known_entries[0], x)
    if axes is None:
        return tf.squeeze(x)
    if static_value(axes) is None:
        keep = fill_axes([0] * len(entries(axes)), axes, [1] * rank_of(x))
        sizes = tf.boolean_mask(tf.shape(x), tf.stack(keep) > 0)
        return tf.reshape(x, tf.reshape(sizes, [rank_of(x) - len(entries(axes))]))  # sets the rank
    axes = normalize_axes(axes, rank_of(x))
    return tf.squeeze(x, axes) if axes else tf.identity(x)


@handles("Unsqueeze", 1, 11)
def unsqueeze_1(x: Any, *, axes: list[int]) -> Any:
    return unsqueeze(x, axes)


@handles("Unsqueeze", 13, 21, 23, 24, 25)
def unsqueeze(x: Any, axes: Any) -> Any:
    if rank_of(x) == 0 and (known_entries := partial_entries(x)) is not None:
        return join_entries(known_entries, x)
    if static_value(axes) is None:
        count = len(entries(axes))
        keep = tf.stack(fill_axes([0] * count, axes, [1] * (rank_of(x) + count)))
        before = tf.concat([tf.shape(x, out_type=tf.int64), [1]], 0)
        return tf.reshape(x, tf.where(keep > 0, tf.gather(before, tf.maximum(tf.cumsum(keep) - 1, 0)), 1))
    for axis in sorted(normalize_axes(axes, rank_of(x) + len(require_constant(axes, N_("the choice of dimensions"))))):
        x = tf.expand_dims(x, axis)
    return x


@handles("Expand", 8, 13)
def expand(x: Any, shape: Any) -> Any:
    if (new_sizes := partial_entries(shape)) is None:
        return tf.broadcast_to(x, tf.broadcast_dynamic_shape(tf.shape(x, out_type=shape.dtype), shape))
    before = shape_of(x)
    rank = max(len(before), len(new_sizes))
    before, target = ([1] * (rank - len(sizes)) + sizes for sizes in (before, new_sizes))
    return tf.broadcast_to(x, pack_sizes([_broadcast_size(old, new) for old, new in zip(before, target, strict=True)]))


def _broadcast_size(old: Any, new: Any) -> Any:
    """The broadcast size of two dimensions. A single known size is enough, unless it is 1."""
    if isinstance(new, int):
        return old if new == 1 else new
    if isinstance(old, int):
        return new if old == 1 else old
    new = tf.cast(new, old.dtype)
    return tf.where(tf.equal(old, 1), new, old)
