"""Pooling of image regions, channels last: x [n, h, w, c], rois as in ONNX."""

from __future__ import annotations

import functools
from typing import Any

from convnet_core.convert.native.helpers.channels_last import handles_spatial
from convnet_core.convert.native.helpers.dtypes import lowest
from convnet_core.convert.native.helpers.tensors import reshape_to, shape_of, size_of, widen
from convnet_core.convert.native.lazy_tensorflow import tf


@handles_spatial("RoiAlign", 10)
def roi_align_10(
    x: Any,
    rois: Any,
    batch_indices: Any,
    *,
    mode: str = "avg",
    output_height: int = 1,
    output_width: int = 1,
    sampling_ratio: int = 0,
    spatial_scale: float = 1.0,
) -> Any:
    return roi_align(
        x,
        rois,
        batch_indices,
        coordinate_transformation_mode="output_half_pixel",
        mode=mode,
        output_height=output_height,
        output_width=output_width,
        sampling_ratio=sampling_ratio,
        spatial_scale=spatial_scale,
    )


@handles_spatial("RoiAlign", 16, 22)
def roi_align(
    x: Any,
    rois: Any,
    batch_indices: Any,
    *,
    coordinate_transformation_mode: str = "half_pixel",
    mode: str = "avg",
    output_height: int = 1,
    output_width: int = 1,
    sampling_ratio: int = 0,
    spatial_scale: float = 1.0,
) -> Any:
    wide, rois = widen(x), widen(rois)
    _, height, width, channels = shape_of(x)
    half = coordinate_transformation_mode == "half_pixel"
    corners = rois * spatial_scale - (0.5 if half else 0.0)
    rows = _Samples(corners[:, 1], corners[:, 3], output_height, sampling_ratio, half, height)
    columns = _Samples(corners[:, 0], corners[:, 2], output_width, sampling_ratio, half, width)
    table = tf.reshape(wide, [-1, channels])
    first = tf.reshape(tf.cast(batch_indices, tf.int64) * height, [-1, 1, 1])
    parts = []
    for y, y_weight in rows.taps:
        for x_, x_weight in columns.taps:
            position = _cross((first + y) * width, x_, tf.add)
            parts.append(tf.gather(table, position) * _cross(y_weight, x_weight, tf.multiply)[:, None])
    used = _cross(rows.used, columns.used, tf.multiply)[:, None]
    split_shape = [size_of(rois, 0) * output_height, rows.max_count, output_width, columns.max_count]
    shape = [size_of(rois, 0), output_height, output_width, channels]
    if mode == "max":
        values = functools.reduce(tf.maximum, parts)  # of the four weighted pixels of each sample, as in ONNX
        values = reshape_to(tf.where(used > 0, values, lowest(values)), [*split_shape, channels])
        y = reshape_to(tf.reduce_max(values, axis=[1, 3]), shape)
        empty = tf.logical_or(rows.count < 1, columns.count < 1)
        return tf.cast(tf.where(tf.reshape(empty, [-1, 1, 1, 1]), tf.zeros_like(y), y), x.dtype)
    total = reshape_to(tf.reduce_sum(reshape_to(tf.add_n(parts) * used, [*split_shape, channels]), axis=[1, 3]), shape)
    return tf.cast(total / tf.reshape(tf.maximum(rows.count * columns.count, 1), [-1, 1, 1, 1]), x.dtype)


def _cross(rows: Any, columns: Any, combine: Any) -> Any:
    """Combine [regions, out, samples] of both dimensions, flattened: regions, height, samples, width, samples."""
    (regions, height, high), (_, width, wide) = shape_of(rows), shape_of(columns)
    across = combine(reshape_to(rows, [regions, height * high, 1]), reshape_to(columns, [regions, 1, width * wide]))
    return tf.reshape(across, [-1])


class _Samples:
    """Sample points along one dimension of every region: [regions, out, samples].

    `count` [regions] is the number of samples per output value and `max_count` the largest. `used` is 0 for padding.
    """

    def __init__(self, start: Any, end: Any, out: int, ratio: int, half: bool, size: Any) -> None:
        dtype = start.dtype
        length = end - start if half else tf.maximum(end - start, 1.0)
        step = tf.reshape(length / out, [-1, 1, 1])
        self.count = tf.maximum(tf.math.ceil(length / out), 0) if ratio < 1 else tf.fill(tf.shape(start), float(ratio))
        self.max_count: Any = ratio if ratio > 0 else tf.cast(tf.reduce_max(tf.concat([self.count, [1]], 0)), tf.int64)
        sample = tf.cast(tf.range(self.max_count), dtype)
        count = tf.reshape(self.count, [-1, 1, 1])
        bins = tf.reshape(tf.range(out, dtype=dtype), [1, -1, 1])
        position = tf.reshape(start, [-1, 1, 1]) + bins * step + (sample + 0.5) * step / tf.maximum(count, 1)
        self.used = tf.cast(sample < count, dtype) * tf.ones_like(bins)
        self.taps = _taps(position, tf.cast(size, dtype))


def _taps(position: Any, size: Any) -> list[tuple[Any, Any]]:
    """The two neighboring pixels of each point with weights, which are 0 more than one pixel outside."""
    inside = tf.cast(tf.logical_and(position >= -1, position <= size), position.dtype)
    position = tf.clip_by_value(position, 0.0, size - 1)
    low = tf.floor(position)
    high = tf.minimum(low + 1, size - 1)
    share = position - low
    return [(tf.cast(low, tf.int64), (1 - share) * inside), (tf.cast(high, tf.int64), share * inside)]


@handles_spatial("MaxRoiPool", 1, 22)
def max_roi_pool(x: Any, rois: Any, *, pooled_shape: list[int], spatial_scale: float = 1.0) -> Any:
    """`rois` [regions, (batch, x1, y1, x2, y2)]."""
    _, height, width, _ = shape_of(x)
    corners = tf.cast(_round_half_away(rois[:, 1:] * tf.cast(spatial_scale, rois.dtype)), tf.float32)
    rows = _bin_masks(corners[:, 1], corners[:, 3], pooled_shape[0], height)
    columns = _bin_masks(corners[:, 0], corners[:, 2], pooled_shape[1], width)
    images = tf.gather(x, tf.cast(rois[:, 0], tf.int64))
    y = tf.reduce_max(tf.where(rows[..., None, None], images[:, None], lowest(x)), axis=2)
    y = tf.reduce_max(tf.where(columns[:, None, :, :, None], y[:, :, None], lowest(x)), axis=3)
    non_empty = tf.logical_and(tf.reduce_any(rows, -1)[:, :, None], tf.reduce_any(columns, -1)[:, None])
    return tf.where(non_empty[..., None], y, tf.zeros_like(y))


def _round_half_away(x: Any) -> Any:
    """Round half away from zero, as C does."""
    return tf.sign(x) * tf.floor(tf.abs(x) + 0.5)


def _bin_masks(start: Any, end: Any, out: int, size: Any) -> Any:
    """Whether each position belongs to each bin of a region: [regions, out, size]."""
    each = (tf.maximum(end - start + 1, 1) / out)[:, None]
    bins = tf.range(out, dtype=tf.float32)
    low = (tf.floor(bins * each) + start[:, None])[..., None]
    high = (tf.math.ceil((bins + 1) * each) + start[:, None])[..., None]
    position = tf.cast(tf.range(size), tf.float32)
    return tf.logical_and(position >= low, position < high)
