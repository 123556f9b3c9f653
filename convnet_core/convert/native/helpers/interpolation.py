"""Interpolation weights for resizing, computed in float32 as in ONNX Runtime."""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any

import numpy as np

from convnet_core.convert.native.helpers.tensors import clamp, evaluate, reshape_to, shape_of
from convnet_core.convert.native.lazy_tensorflow import tf

IMAGE_FLAGS = ((False, False), (False, True), (True, False))
"""Pairs of `align_corners` and `half_pixel_centers` for TensorFlow's image resizing ops."""


@dataclasses.dataclass(frozen=True)
class Stretch:
    """How one dimension is resized. `scale` comes from the model; `exact` means that it equals out / size."""

    axis: int
    size: Any
    out: Any
    scale: Any
    exact: bool = True
    start: Any = 0.0
    end: Any = 1.0


@dataclasses.dataclass(frozen=True)
class Method:
    """How to interpolate: ONNX's attributes."""

    mode: str = "nearest"
    coordinates: str = "half_pixel"
    nearest: str = "round_prefer_floor"
    cubic: float = -0.75
    exclude_outside: bool = False
    antialias: bool = False
    extrapolation: float = 0.0


def coordinates(kind: str, size: Any, out: Any, scale: Any, start: Any, end: Any) -> Any:
    """For each output position, the float position in the input dimension."""
    position = tf.cast(tf.range(out), tf.float32)
    size, out, scale = (tf.cast(item, tf.float32) for item in (size, out, scale))
    half_pixel = (position + 0.5) / scale - 0.5
    match kind:
        case "half_pixel":
            return half_pixel
        case "pytorch_half_pixel":
            return tf.where(out > 1, half_pixel, tf.zeros_like(position))
        case "half_pixel_symmetric":
            return size / 2 * (1 - out / (scale * size)) + half_pixel
        case "asymmetric":
            return position / scale
        case "tf_half_pixel_for_nn":
            return (position + 0.5) / scale
        case "align_corners":
            return position * (size - 1) / tf.maximum(out - 1, 1)
        case "tf_crop_and_resize":
            spread = start * (size - 1) + position * (end - start) * (size - 1) / tf.maximum(out - 1, 1)
            return tf.where(out > 1, spread, 0.5 * (start + end) * (size - 1))
    raise ValueError(f"unknown coordinate_transformation_mode {kind!r}")


def source_coordinates(stretch: Stretch, method: Method) -> Any:
    """The input coordinates of a dimension: an array if known during tracing."""
    function = functools.partial(coordinates, method.coordinates)
    return evaluate(function, stretch.size, stretch.out, stretch.scale, stretch.start, stretch.end)


def nearest_indices(stretch: Stretch, method: Method) -> Any:
    """The input index for each output value."""
    return evaluate(
        functools.partial(_round_indices, method.nearest),
        source_coordinates(stretch, method),
        stretch.size,
        stretch.scale,
    )


def _round_indices(kind: str, position: Any, size: Any, scale: Any) -> Any:
    match kind:
        case "round_prefer_floor":
            position = tf.math.ceil(position - 0.5)
        case "round_prefer_ceil":
            position = tf.floor(position + 0.5)
        case "floor":
            position = tf.floor(position)
        case "ceil":
            position = tf.math.ceil(position)
        case "simple":  # ONNX Runtime's rule before version 11
            position = tf.where(scale < 1, tf.math.ceil(position), tf.floor(position))
    return clamp(tf.cast(position, tf.int32), 0, tf.cast(size, tf.int32) - 1)


def weight_matrix(stretch: Stretch, method: Method) -> Any:
    """Weights [out, size]: each output value is a weighted sum of input values."""
    return evaluate(
        functools.partial(_weight_matrix, method), source_coordinates(stretch, method), stretch.size, stretch.scale
    )


def _weight_matrix(method: Method, position: Any, size: Any, scale: Any) -> Any:
    wide = 1 / tf.minimum(tf.cast(scale, tf.float32), 1.0) if method.antialias else tf.constant(1.0)
    reach = tf.math.ceil((1 if method.mode == "linear" else 2) * wide)
    taps = tf.floor(position)[:, None] + tf.range(1 - reach, reach + 1)
    weights = _weights(tf.abs(taps - position[:, None]) / wide, method)
    last = tf.cast(size, tf.float32) - 1
    if method.exclude_outside:
        weights = tf.where(tf.logical_or(taps < 0, taps > last), 0.0, weights)
    if method.exclude_outside or method.antialias:
        weights /= tf.reduce_sum(weights, axis=1, keepdims=True)
    inside = tf.cast(tf.clip_by_value(taps, 0.0, last), tf.int32)  # outside, use the border value
    return tf.reduce_sum(tf.one_hot(inside, tf.cast(size, tf.int32)) * weights[:, :, None], axis=1)


def _weights(distance: Any, method: Method) -> Any:
    if method.mode == "linear":
        return tf.maximum(1 - distance, 0.0)
    a, x = method.cubic, distance
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return tf.where(x <= 1, near, tf.where(x < 2, far, tf.zeros_like(x)))


def multiply_along(x: Any, stretch: Stretch, rows: Any) -> Any:
    """Multiply one dimension of x by a matrix."""
    sizes = shape_of(x)
    before, after = math.prod(sizes[: stretch.axis]), math.prod(sizes[stretch.axis + 1 :])
    flat = reshape_to(x, [before, sizes[stretch.axis], after])
    sizes[stretch.axis] = stretch.out
    return reshape_to(tf.matmul(tf.cast(rows, x.dtype), flat), sizes)


def image_flags(stretches: list[Stretch], method: Method) -> tuple[bool, bool] | None:
    """The flags with which TensorFlow's image resizing gives the same result, or None."""
    flags = [_flags_of(stretch, method) for stretch in stretches]
    common = set(flags[0]).intersection(*flags[1:]) if flags else set()
    return next((pair for pair in IMAGE_FLAGS if pair in common), None)


def _flags_of(stretch: Stretch, method: Method) -> list[tuple[bool, bool]]:
    if method.mode == "nearest":
        return _nearest_flags(stretch, method)
    if method.mode != "linear" or method.antialias or not stretch.exact:
        return []
    match method.coordinates:
        case "half_pixel" | "half_pixel_symmetric":
            return [(False, True)]
        case "pytorch_half_pixel" if isinstance(stretch.out, int) and stretch.out > 1:
            return [(False, True)]
        case "asymmetric":
            return [(False, False)]
        case "align_corners":
            return [(True, False)]
    return []


def _nearest_flags(stretch: Stretch, method: Method) -> list[tuple[bool, bool]]:
    if isinstance(stretch.size, int) and isinstance(stretch.out, int) and stretch.size and stretch.out:
        expected = nearest_indices(stretch, method)
        if not isinstance(expected, np.ndarray):
            return []
        return [flags for flags in IMAGE_FLAGS if np.array_equal(_image_op_indices(stretch, *flags), expected)]
    doubling = isinstance(stretch.scale, np.floating) and math.frexp(stretch.scale)[0] == 0.5 and stretch.scale >= 1
    if stretch.exact and doubling:  # dividing by a power of two is exact
        if (method.coordinates, method.nearest) in (("asymmetric", "floor"), ("asymmetric", "simple")):
            return [(False, False)]
        if method.coordinates == "half_pixel" and method.nearest.startswith("round"):
            return [(False, True)]
    return []


def _image_op_indices(stretch: Stretch, align_corners: bool, half_pixel: bool) -> Any:
    """The input index that TensorFlow and TFLite use for each output value."""
    position = np.arange(stretch.out, dtype=np.float32)
    if align_corners and stretch.out > 1:
        scaled = position * np.float32((stretch.size - 1) / np.float32(stretch.out - 1))
        return np.minimum(np.floor(scaled + np.float32(0.5)), stretch.size - 1)
    scale = np.float32(stretch.size / np.float32(stretch.out))
    offset = np.float32(0.5 if half_pixel else 0)
    return np.minimum(np.floor((position + offset) * scale), stretch.size - 1)
