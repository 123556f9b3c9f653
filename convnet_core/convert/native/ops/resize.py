"""Resize and Upsample, channels last: x [n, *space, c]. Scales, sizes and axes count dimensions as ONNX does."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from convnet_core.convert.native.helpers.channels_last import apply_per_plane, handles_spatial
from convnet_core.convert.native.helpers.interpolation import (
    Method,
    Stretch,
    image_flags,
    multiply_along,
    nearest_indices,
    source_coordinates,
    weight_matrix,
)
from convnet_core.convert.native.helpers.shape_tensors import entries, source_axis
from convnet_core.convert.native.helpers.tensors import normalize_axes, rank_of, shape_of, static_value
from convnet_core.convert.native.lazy_tensorflow import tf

_IMAGES = {"float16", "bfloat16", "float64", "uint8", "int8", "uint16", "int16", "int32", "int64"}
"""Dtypes besides float32 that TensorFlow can resize to the nearest value."""

_BEFORE_11: dict[str, Any] = {"nearest": "simple", "coordinates": "asymmetric"}


@handles_spatial("Upsample", 1)
def upsample_1(x: Any, *, height_scale: float, width_scale: float, mode: str = "nearest") -> Any:
    return upsample(x, np.array([1, 1, height_scale, width_scale], np.float32), mode=mode)


@handles_spatial("Upsample", 7)
def upsample_7(x: Any, *, scales: list[float], mode: str = "nearest") -> Any:
    return upsample(x, np.array(scales, np.float32), mode=mode)


@handles_spatial("Upsample", 9, 10, static=("scales",))
@handles_spatial("Resize", 10, static=("scales",))
def upsample(x: Any, scales: Any, *, mode: str = "nearest") -> Any:
    mode = {"bilinear": "linear"}.get(mode, mode)
    return _resize(x, _by_scales(x, scales, range(rank_of(x))), Method(mode, "asymmetric", "simple"))


@handles_spatial("Resize", 11, 13, 18, 19, static=("roi", "scales", "sizes"))
def resize(
    x: Any,
    roi: Any = None,
    scales: Any = None,
    sizes: Any = None,
    *,
    antialias: int = 0,
    axes: list[int] | None = None,
    coordinate_transformation_mode: str = "half_pixel",
    cubic_coeff_a: float = -0.75,
    exclude_outside: int = 0,
    extrapolation_value: float = 0.0,
    keep_aspect_ratio_policy: str = "stretch",
    mode: str = "nearest",
    nearest_mode: str = "round_prefer_floor",
) -> Any:
    method = Method(
        mode,
        coordinate_transformation_mode,
        nearest_mode,
        cubic_coeff_a,
        bool(exclude_outside),
        bool(antialias),
        extrapolation_value,
    )
    dims = normalize_axes(axes, rank_of(x))
    crop = entries(roi) if roi is not None and coordinate_transformation_mode == "tf_crop_and_resize" else None
    if scales is not None and scales.shape != (0,):
        stretches = _by_scales(x, scales, dims, crop)
    else:
        stretches = _by_sizes(x, entries(sizes), dims, keep_aspect_ratio_policy, crop)
    return _resize(x, stretches, method)


def _axis_of(axis: int) -> int:
    """The channels-last position of a dimension in ONNX's layout."""
    return (0, -1)[axis] if axis < 2 else axis - 1


def _crop_range(crop: list[Any] | None, at: int) -> dict[str, Any]:
    return {} if crop is None else {"start": crop[at], "end": crop[at + len(crop) // 2]}


def _by_scales(x: Any, scales: Any, axes: Any, crop: list[Any] | None = None) -> list[Stretch]:
    array, before, rank = static_value(scales), shape_of(x), rank_of(x)
    result = []
    for at, axis in enumerate(axes):
        scale = scales[at] if array is None else np.float32(array[at])
        size = before[_axis_of(axis)]
        if array is not None and scale == 1 and crop is None:
            continue
        if array is None or not isinstance(size, int):
            exact = array is not None and float(scale).is_integer()
            out = size * int(scale) if exact else tf.cast(tf.cast(size, tf.float32) * scale, tf.int64)
        else:
            out = int(np.float32(size) * scale)
            exact = out == size * float(scale)
        result.append(Stretch(_axis_of(axis) % rank, size, out, scale, exact, **_crop_range(crop, at)))
    return result


def _by_sizes(x: Any, sizes: list[Any], axes: list[int], policy: str, crop: list[Any] | None) -> list[Stretch]:
    before, rank = shape_of(x), rank_of(x)
    old_sizes = [before[_axis_of(axis)] for axis in axes]
    scales = [_ratio(out, size) for out, size in zip(sizes, old_sizes, strict=True)]
    if policy != "stretch":
        scale = functools.reduce(_min_scale if policy == "not_larger" else _max_scale, scales)
        sizes, scales = [_round_size(size, scale) for size in old_sizes], [scale] * len(scales)
    result = []
    for at, (axis, size, out, scale) in enumerate(zip(axes, old_sizes, sizes, scales, strict=True)):
        unchanged = size == out if isinstance(size, int) and isinstance(out, int) else _is_batch(axis, out)
        if unchanged and crop is None and policy == "stretch":
            continue
        result.append(Stretch(_axis_of(axis) % rank, size, out, scale, policy == "stretch", **_crop_range(crop, at)))
    return result


def _ratio(out: Any, size: Any) -> Any:
    if isinstance(out, int) and isinstance(size, int):
        return np.float32(out) / np.float32(size)
    return tf.cast(out, tf.float32) / tf.cast(size, tf.float32)


def _min_scale(a: Any, b: Any) -> Any:
    return tf.minimum(a, b) if isinstance(a, tf.Tensor) or isinstance(b, tf.Tensor) else min(a, b)


def _max_scale(a: Any, b: Any) -> Any:
    return -_min_scale(-a, -b)


def _round_size(size: Any, scale: Any) -> Any:
    if isinstance(size, int) and not isinstance(scale, tf.Tensor):
        return math.floor(np.float32(size) * scale + np.float32(0.5))
    return tf.cast(tf.floor(tf.cast(size, tf.float32) * scale + 0.5), tf.int64)


def _is_batch(axis: int, out: Any) -> bool:
    """Whether an unknown size is a batch size, which is not resized."""
    return axis == 0 and source_axis(out, None) == 0


def _resize(x: Any, stretches: list[Stretch], method: Method) -> Any:
    if not stretches:
        return tf.identity(x)
    keeps_dtype = method.mode == "nearest" or x.dtype in (tf.float32, tf.float64)
    values = x if keeps_dtype else tf.cast(x, tf.float32)
    y = _resize_images(values, stretches, method)
    if y is None:
        y = values
        for stretch in stretches:
            if method.mode == "nearest":
                y = tf.gather(y, nearest_indices(stretch, method), axis=stretch.axis)
            else:
                y = multiply_along(y, stretch, weight_matrix(stretch, method))
    if method.coordinates == "tf_crop_and_resize":
        y = _extrapolate(y, stretches, method)
    return y if keeps_dtype else tf.cast(y, x.dtype)


def _resize_images(x: Any, stretches: list[Stretch], method: Method) -> Any:
    """Resize with TensorFlow's image ops; None if their result would differ."""
    dims = {stretch.axis - 1: stretch for stretch in stretches}
    flags = image_flags(stretches, method)
    space = rank_of(x) - 2
    if flags is None or not all(0 <= dim < space for dim in dims) or not 1 <= space <= 3:
        return None
    if x.dtype != tf.float32 and (method.mode != "nearest" or tf.as_dtype(x.dtype).name not in _IMAGES):
        return None
    images = tf.compat.v1.image
    function = images.resize_nearest_neighbor if method.mode == "nearest" else images.resize_bilinear

    def resize_image(image: Any, plane: tuple[int | None, int | None]) -> Any:
        sizes = [dims[dim].out if dim in dims else size for dim, size in zip(plane, shape_of(image, 1, 3), strict=True)]
        if not any(dim in dims for dim in plane):
            return image
        size = tf.stack([tf.cast(item, tf.int32) for item in sizes])
        return function(image, size, align_corners=flags[0], half_pixel_centers=flags[1])

    return apply_per_plane(x, resize_image)


def _extrapolate(y: Any, stretches: list[Stretch], method: Method) -> Any:
    """Replace values whose source position is outside the input by the extrapolation value."""
    for stretch in stretches:
        position = source_coordinates(stretch, method)
        outside = tf.logical_or(position < 0, position > tf.cast(stretch.size, tf.float32) - 1)
        shape = [1] * rank_of(y)
        shape[stretch.axis] = -1
        y = tf.where(tf.reshape(outside, shape), tf.cast(method.extrapolation, y.dtype), y)
    return y
