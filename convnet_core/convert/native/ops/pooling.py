"""Pooling, channels last: x [n, *space, c]. 3D pools use 2D ones, which are faster and the only ones in TFLite."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from convnet_core.convert.native.helpers.channels_last import apply_per_plane, handles_spatial
from convnet_core.convert.native.helpers.dtypes import SMALL_INTEGERS, cast_around, lowest
from convnet_core.convert.native.helpers.tensors import evaluate, rank_of, widen
from convnet_core.convert.native.helpers.windows import Window, pad_windows, paddings, sliding_windows
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.ops.max_pool_indices import max_with_indices


@handles_spatial("MaxPool", 1, 8, 10, 11, 12, 22)
def max_pool(
    x: Any,
    *,
    kernel_shape: list[int],
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    dilations: list[int] | None = None,
    pads: list[int] | None = None,
    storage_order: int = 0,
    strides: list[int] | None = None,
    outputs: int,
) -> Any:
    windows = sliding_windows(x, kernel_shape, strides, dilations, pads, auto_pad, ceil_mode)
    if outputs == 2:
        return max_with_indices(x, windows, column_major=bool(storage_order))
    return cast_around(lambda x: _max_of_windows(x, windows), x, when=SMALL_INTEGERS, to=tf.float32)


def _max_of_windows(x: Any, windows: Sequence[Window]) -> Any:
    """The maximum of each window."""
    if any(window.dilation > 1 for window in windows):
        return _combine_slices(pad_windows(x, windows, lowest(x)), windows, tf.maximum)
    if all(window.same for window in windows):
        return _pool(tf.nn.max_pool2d, x, windows, "SAME")
    return _pool(tf.nn.max_pool2d, _pad_for_max(x, windows), windows, "VALID")


def _pad_for_max(x: Any, windows: Sequence[Window]) -> Any:
    """Pad so that the padding never changes a maximum.

    Infinities would ruin the scales of an int8 model. So pad with zeros after a Relu, else by repeating the border
    values, which every window that covers padding also contains.
    """
    if _follows_relu(x):
        return pad_windows(x, windows)
    sides = paddings(windows)
    if not all(isinstance(side, int) for pair in sides for side in pair):
        return pad_windows(x, windows, lowest(x))
    for step in range(max(map(max, sides))):
        x = tf.pad(x, [[int(side > step) for side in pair] for pair in sides], "SYMMETRIC")
    return x


def _follows_relu(x: Any) -> bool:
    while tf.is_symbolic_tensor(x) and x.op.type in ("Transpose", "Reshape", "Identity"):
        x = x.op.inputs[0]
    return tf.is_symbolic_tensor(x) and x.op.type in ("Relu", "Relu6")


def _pool(pool: Callable[..., Any], x: Any, windows: Sequence[Window], padding: str) -> Any:
    """Apply a 2D pool along all spatial dimensions."""

    def images(image: Any, dims: tuple[int | None, int | None]) -> Any:
        kernel = [1 if dim is None else windows[dim].kernel for dim in dims]
        strides = [1 if dim is None else windows[dim].stride for dim in dims]
        return pool(image, kernel, strides, padding)

    return apply_per_plane(x, images)


def _combine_slices(x: Any, windows: Sequence[Window], combine: Callable[[Any, Any], Any]) -> Any:
    """Combine the values of each window from strided slices, one dimension at a time."""
    for axis, window in enumerate(windows, start=1):
        before = (slice(None),) * axis
        x = functools.reduce(combine, [x[(*before, window.part(position))] for position in range(window.kernel)])
    return x


@handles_spatial("AveragePool", 1, 7, 10, 11, 19, 22)
def average_pool(
    x: Any,
    *,
    kernel_shape: list[int],
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    count_include_pad: int = 0,
    dilations: list[int] | None = None,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> Any:
    windows = sliding_windows(x, kernel_shape, strides, dilations, pads, auto_pad, ceil_mode)
    wide = widen(x)
    plain = all(window.dilation == 1 for window in windows)
    if plain and not count_include_pad and all(window.same for window in windows):
        return tf.cast(_pool(tf.nn.avg_pool2d, wide, windows, "SAME"), x.dtype)
    mean = _mean(wide, windows)
    all_count = not ceil_mode if count_include_pad else not any(window.has_padding for window in windows)
    if not all_count:
        mean = mean * tf.cast(_count_corrections(windows, bool(count_include_pad)), mean.dtype)
    return tf.cast(mean, x.dtype)


def _mean(x: Any, windows: Sequence[Window]) -> Any:
    """The mean of each window, counting padding as zeros."""
    x = pad_windows(x, windows)
    if all(window.dilation == 1 for window in windows):
        return _pool(tf.nn.avg_pool2d, x, windows, "VALID")
    return _combine_slices(x, windows, tf.add) / math.prod(window.kernel for window in windows)


def _count_corrections(windows: Sequence[Window], pads_count: bool) -> Any:
    """For each window, its size divided by the number of positions that count: [1, *space, 1]."""
    corrections: Any = 1.0
    for axis, window in enumerate(windows):
        low = -window.before if pads_count else 0
        high = window.size + window.declared if pads_count else window.size
        correction = evaluate(functools.partial(_count_correction, window), window.count, window.before, low, high)
        shape = [1] * (len(windows) + 2)
        shape[axis + 1] = -1
        corrections = (
            corrections * correction.reshape(shape)
            if isinstance(correction, np.ndarray)
            else corrections * tf.reshape(correction, shape)
        )
    return corrections


def _count_correction(window: Window, count: Any, before: Any, low: Any, high: Any) -> Any:
    starts = tf.range(count)[:, None] * window.stride - before
    positions = starts + tf.range(window.kernel, dtype=starts.dtype) * window.dilation
    counted = tf.logical_and(positions >= low, positions < high)
    return window.kernel / tf.reduce_sum(tf.cast(counted, tf.float32), axis=1)


@handles_spatial("LpPool", 1, 2, 11, 18, 22)
def lp_pool(
    x: Any,
    *,
    kernel_shape: list[int],
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    dilations: list[int] | None = None,
    p: float = 2,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> Any:
    windows = sliding_windows(x, kernel_shape, strides, dilations, pads, auto_pad, ceil_mode)
    total = _mean(abs_power(widen(x), p), windows) * math.prod(kernel_shape)
    return tf.cast(nth_root(total, p), x.dtype)


def abs_power(x: Any, p: float) -> Any:
    """|x| ** p."""
    return tf.square(x) if p == 2 else tf.abs(x) if p == 1 else tf.abs(x) ** p


def nth_root(x: Any, p: float) -> Any:
    """The p-th root of a non-negative x."""
    return tf.sqrt(x) if p == 2 else x if p == 1 else x ** (1 / p)


def _spatial_axes(x: Any) -> list[int]:
    return list(range(1, rank_of(x) - 1))


@handles_spatial("GlobalMaxPool", 1, 22)
def global_max_pool(x: Any) -> Any:
    return tf.reduce_max(x, _spatial_axes(x), keepdims=True)


@handles_spatial("GlobalAveragePool", 1, 22)
def global_average_pool(x: Any) -> Any:
    return tf.cast(tf.reduce_mean(widen(x), _spatial_axes(x), keepdims=True), x.dtype)


@handles_spatial("GlobalLpPool", 1, 2, 22)
def global_lp_pool(x: Any, *, p: float = 2) -> Any:
    total = tf.reduce_sum(abs_power(widen(x), p), _spatial_axes(x), keepdims=True)
    return tf.cast(nth_root(total, p), x.dtype)
