"""Pad, in all its modes. A negative pad takes values away."""

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

_MIRRORED_RANK = 5
"""The largest rank that TensorFlow mirrors."""


@handles("Pad", 1)
def pad_1(x: Any, *, paddings: list[int], mode: str = "constant", value: float = 0.0) -> Any:
    return pad(x, np.array(paddings), value, mode=mode)


@handles("Pad", 2)
def pad_2(x: Any, *, pads: list[int], mode: str = "constant", value: float = 0.0) -> Any:
    return pad(x, np.array(pads), value, mode=mode)


@handles("Pad", 11, 13, 18, 19, 21, 23, 24, 25)
@widen_integers
def pad(x: Any, pads: Any, constant_value: Any = None, axes: Any = None, *, mode: str = "constant") -> Any:
    given = entries(pads, "the pads", 2 * rank_of(x) if axes is None else None)
    half = len(given) // 2
    none, places = [0] * rank_of(x), np.arange(rank_of(x)) if axes is None else axes
    befores, afters = fill_axes(given[:half], places, none), fill_axes(given[half:], places, none)
    x = _crop(x, list(zip(befores, afters, strict=True)))
    around = [(_non_negative(before), _non_negative(after)) for before, after in zip(befores, afters, strict=True)]
    if all(_is_zero(size) for pair in around for size in pair):
        return tf.identity(x)
    if mode == "constant":
        return _pad_in_few_dims(x, around, constant_value)
    if mode == "reflect" and _can_mirror(x, around):
        return tf.pad(x, pack_sizes([size for pair in around for size in pair]).reshape(-1, 2), "REFLECT")
    for axis, (before, after) in enumerate(around):
        if not (_is_zero(before) and _is_zero(after)):
            x = tf.gather(x, _source_indices(size_of(x, axis), before, after, mode), axis=axis)
    return x


def _pad_constant(x: Any, around: list[tuple[Any, Any]], value: Any) -> Any:
    paddings = tf.reshape(pack_sizes([size for pair in around for size in pair]), [-1, 2])
    dtype = tf.as_dtype(x.dtype)
    value = tf.zeros([], dtype) if value is None else tf.cast(tf.reshape(value, []), dtype)
    return tf.pad(x, paddings, constant_values=value)


_MOST_DIMENSIONS = 5
"""That LiteRT 2.3 pads."""


def _pad_in_few_dims(x: Any, around: list[tuple[Any, Any]], value: Any) -> Any:
    """Of many dimensions, two at a time."""
    if rank_of(x) <= _MOST_DIMENSIONS:
        return _pad_constant(x, around, value)
    axes = [axis for axis, pair in enumerate(around) if not all(map(_is_zero, pair))]
    for start in range(0, len(axes), 2):
        x = _pad_axes(x, {axis: around[axis] for axis in axes[start : start + 2]}, value)
    return x


def _pad_axes(x: Any, around: dict[int, tuple[Any, Any]], value: Any) -> Any:
    """Padded at these dimensions; the others between them count as one."""
    sizes, merged, pads, after = shape_of(x), [], [], 0
    for axis, pair in around.items():
        merged += [math.prod(sizes[after:axis]), sizes[axis]]
        pads += [(0, 0), pair]
        after = axis + 1
    y = _pad_constant(reshape_to(x, [*merged, math.prod(sizes[after:])]), [*pads, (0, 0)], value)
    for place, axis in enumerate(around):
        sizes[axis] = size_of(y, 2 * place + 1)
    return reshape_to(y, sizes)


def _is_zero(size: Any) -> bool:
    return isinstance(size, int) and size == 0


def _non_negative(size: Any) -> Any:
    return max(size, 0) if isinstance(size, int) else tf.maximum(size, tf.zeros([], size.dtype))


def _crop(x: Any, around: list[tuple[Any, Any]]) -> Any:
    """Without what negative pads take away."""
    crops = [(_crop_size(before), _crop_size(after)) for before, after in around]
    if all(_is_zero(size) for pair in crops for size in pair):
        return x
    sizes = shape_of(x)
    return x[tuple(slice(before, size - after) for size, (before, after) in zip(sizes, crops, strict=True))]


def _crop_size(size: Any) -> Any:
    return max(-size, 0) if isinstance(size, int) else tf.cast(tf.maximum(-size, tf.zeros([], size.dtype)), tf.int64)


def _can_mirror(x: Any, around: list[tuple[Any, Any]]) -> bool:
    """Whether TensorFlow can mirror it: not more than once, which is taken for granted where a size is not known."""
    if rank_of(x) > _MIRRORED_RANK:
        return False
    return all(
        isinstance(pad, int) and (not isinstance(size, int) or pad < size or pad == 0)
        for size, pair in zip(static_shape(x), around, strict=True)
        for pad in pair
    )


def _source_indices(size: Any, before: Any, after: Any, mode: str) -> Any:
    """Where along a dimension each value of the result comes from."""
    static = all(isinstance(item, int) for item in (size, before, after))
    size, before, after = (np.int64(item) if static else tf.cast(item, tf.int64) for item in (size, before, after))
    maths = np if static else tf
    places = (np.arange if static else tf.range)(-before, size + after)
    if mode == "edge":
        return maths.minimum(maths.maximum(places, 0), size - 1)
    if mode == "wrap":
        return places % size
    if mode == "reflect":
        period = maths.maximum(2 * (size - 1), 1)
        return maths.minimum(places % period, period - places % period) % maths.maximum(size, 1)
    raise ConversionError(f"no mode {mode!r}")
