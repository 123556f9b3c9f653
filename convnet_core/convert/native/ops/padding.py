"""Pad in all modes. A negative pad crops."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from convnet_core.convert.native.helpers.dtypes import widen_integers
from convnet_core.convert.native.helpers.shape_tensors import entries, fill_axes
from convnet_core.convert.native.helpers.tensors import pack_sizes, rank_of, reshape_to, shape_of, size_of, static_shape
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.registry import handles
from convnet_core.errors import ConversionError
from convnet_core.language import N_, _

_MIRROR_RANK = 5
"""Largest rank for which TensorFlow supports mirror padding."""


@handles("Pad", 1)
def pad_1(x: Any, *, paddings: list[int], mode: str = "constant", value: float = 0.0) -> Any:
    return pad(x, np.array(paddings), value, mode=mode)


@handles("Pad", 2)
def pad_2(x: Any, *, pads: list[int], mode: str = "constant", value: float = 0.0) -> Any:
    return pad(x, np.array(pads), value, mode=mode)


@handles("Pad", 11, 13, 18, 19, 21, 23, 24, 25)
@widen_integers
def pad(x: Any, pads: Any, constant_value: Any = None, axes: Any = None, *, mode: str = "constant") -> Any:
    amounts = entries(pads, N_("the pads"), 2 * rank_of(x) if axes is None else None)
    half = len(amounts) // 2
    zeros, axes = [0] * rank_of(x), np.arange(rank_of(x)) if axes is None else axes
    befores, afters = fill_axes(amounts[:half], axes, zeros), fill_axes(amounts[half:], axes, zeros)
    x = _crop(x, list(zip(befores, afters, strict=True)))
    pairs = [(_non_negative(before), _non_negative(after)) for before, after in zip(befores, afters, strict=True)]
    if all(_is_zero(size) for pair in pairs for size in pair):
        return tf.identity(x)
    if mode == "constant":
        return _pad_in_few_dims(x, pairs, constant_value)
    if mode == "reflect" and _can_mirror(x, pairs):
        return tf.pad(x, pack_sizes([size for pair in pairs for size in pair]).reshape(-1, 2), "REFLECT")
    for axis, (before, after) in enumerate(pairs):
        if not (_is_zero(before) and _is_zero(after)):
            x = tf.gather(x, _source_indices(size_of(x, axis), before, after, mode), axis=axis)
    return x


def _pad_constant(x: Any, pairs: list[tuple[Any, Any]], value: Any) -> Any:
    paddings = tf.reshape(pack_sizes([size for pair in pairs for size in pair]), [-1, 2])
    dtype = tf.as_dtype(x.dtype)
    value = tf.zeros([], dtype) if value is None else tf.cast(tf.reshape(value, []), dtype)
    return tf.pad(x, paddings, constant_values=value)


_MOST_DIMENSIONS = 5
"""Most dimensions that LiteRT 2.3 can pad."""


def _pad_in_few_dims(x: Any, pairs: list[tuple[Any, Any]], value: Any) -> Any:
    """Pad many dimensions two at a time."""
    if rank_of(x) <= _MOST_DIMENSIONS:
        return _pad_constant(x, pairs, value)
    axes = [axis for axis, pair in enumerate(pairs) if not all(map(_is_zero, pair))]
    for start in range(0, len(axes), 2):
        x = _pad_axes(x, {axis: pairs[axis] for axis in axes[start : start + 2]}, value)
    return x


def _pad_axes(x: Any, pairs: dict[int, tuple[Any, Any]], value: Any) -> Any:
    """Pad these axes, merging all axes between them."""
    sizes, merged, pads, after = shape_of(x), [], [], 0
    for axis, pair in pairs.items():
        merged += [math.prod(sizes[after:axis]), sizes[axis]]
        pads += [(0, 0), pair]
        after = axis + 1
    y = _pad_constant(reshape_to(x, [*merged, math.prod(sizes[after:])]), [*pads, (0, 0)], value)
    for position, axis in enumerate(pairs):
        sizes[axis] = size_of(y, 2 * position + 1)
    return reshape_to(y, sizes)


def _is_zero(size: Any) -> bool:
    return isinstance(size, int) and size == 0


def _non_negative(size: Any) -> Any:
    return max(size, 0) if isinstance(size, int) else tf.maximum(size, tf.zeros([], size.dtype))


def _crop(x: Any, pairs: list[tuple[Any, Any]]) -> Any:
    """Crop as negative pads request."""
    crops = [(_crop_size(before), _crop_size(after)) for before, after in pairs]
    if all(_is_zero(size) for pair in crops for size in pair):
        return x
    sizes = shape_of(x)
    return x[tuple(slice(before, size - after) for size, (before, after) in zip(sizes, crops, strict=True))]


def _crop_size(size: Any) -> Any:
    return max(-size, 0) if isinstance(size, int) else tf.cast(tf.maximum(-size, tf.zeros([], size.dtype)), tf.int64)


def _can_mirror(x: Any, pairs: list[tuple[Any, Any]]) -> bool:
    """Whether TensorFlow can mirror-pad x: each pad must be smaller than the dimension (assumed if unknown)."""
    if rank_of(x) > _MIRROR_RANK:
        return False
    return all(
        isinstance(pad, int) and (not isinstance(size, int) or pad < size or pad == 0)
        for size, pair in zip(static_shape(x), pairs, strict=True)
        for pad in pair
    )


def _source_indices(size: Any, before: Any, after: Any, mode: str) -> Any:
    """The input position along a dimension for each value of the result."""
    static = all(isinstance(item, int) for item in (size, before, after))
    size, before, after = (np.int64(item) if static else tf.cast(item, tf.int64) for item in (size, before, after))
    ops = np if static else tf
    positions = (np.arange if static else tf.range)(-before, size + after)
    if mode == "edge":
        return ops.minimum(ops.maximum(positions, 0), size - 1)
    if mode == "wrap":
        return positions % size
    if mode == "reflect":
        period = ops.maximum(2 * (size - 1), 1)
        return ops.minimum(positions % period, period - positions % period) % ops.maximum(size, 1)
    raise ConversionError(_("unknown mode {mode!r}", mode=mode))
