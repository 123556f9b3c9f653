"""Quantization to small integers with a scale and a zero point."""

from __future__ import annotations

from typing import Any

from convnet_core.convert.native.helpers.dtypes import as_dtype, cast_to
from convnet_core.convert.native.helpers.tensors import rank_of, reshape_to, shape_of, size_of, widen
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.ops.linear import as_column, integer_product, subtract_zero_point
from convnet_core.convert.native.registry import handles
from convnet_core.errors import ConversionError
from convnet_core.language import _

_RANGES = {
    "uint8": (0, 255),
    "int8": (-128, 127),
    "uint16": (0, 65535),
    "int16": (-32768, 32767),
    "uint4": (0, 15),
    "int4": (-8, 7),
}


@handles("QuantizeLinear", 10, 13, 19, 21, 23, 24, 25, 28, static=("y_scale",))
def quantize_linear(
    x: Any,
    y_scale: Any,
    y_zero_point: Any = None,
    *,
    axis: int = 1,
    block_size: int = 0,
    output_dtype: int = 0,
    precision: int = 0,
    saturate: int = 1,
) -> Any:
    """Divide in the dtype of the scale, unless `precision` names another dtype."""
    target = as_dtype(y_zero_point.dtype if y_zero_point is not None else output_dtype or "uint8")
    wide = as_dtype(precision or y_scale.dtype)
    scale = tf.cast(_broadcast_along(y_scale, x, axis, block_size), wide)
    y = tf.cast(widen(tf.cast(x, wide)) / widen(scale), wide)  # LiteRT 2.3 cannot divide 16-bit floats
    if target.is_floating:
        return cast_to(y, target, saturate=bool(saturate))
    zero = None if y_zero_point is None else _broadcast_along(cast_to(y_zero_point, tf.float32), x, axis, block_size)
    return _round_to(tf.cast(y, tf.float32), zero, target)


def _round_to(y: Any, zero_point: Any, dtype: Any) -> Any:
    """Round half to even, add the zero point, and clamp to the range of the dtype."""
    if dtype.name not in _RANGES:
        raise ConversionError(_("TensorFlow cannot cast {dtype}", dtype=dtype.name))
    y = tf.round(y)
    y = y if zero_point is None else y + tf.cast(zero_point, y.dtype)
    low, high = _RANGES[dtype.name]
    return cast_to(tf.clip_by_value(y, low, high), dtype)


def _broadcast_along(value: Any, x: Any, axis: int, block_size: int) -> Any:
    """Broadcast scales or zero points (one, one per slice along the axis, or one per block) to `x`."""
    rank = rank_of(value)
    if block_size:
        repeated = tf.repeat(value, block_size, axis)
        return tf.gather(repeated, tf.range(size_of(x, axis)), axis=axis)  # the last block may be shorter
    if rank == 1 and rank_of(x) > 1:
        sizes: list[Any] = [1] * rank_of(x)
        sizes[axis if shape_of(value) != [1] else 0] = size_of(value, 0)
        return reshape_to(value, sizes)
    return value


@handles("DequantizeLinear", 10, 13, 19, 21, 23, 24, 25, 28, static=("x", "x_scale", "x_zero_point"))
def dequantize_linear(
    x: Any, x_scale: Any, x_zero_point: Any = None, *, axis: int = 1, block_size: int = 0, output_dtype: int = 0
) -> Any:
    dtype = as_dtype(output_dtype or x_scale.dtype)
    wide = dtype if dtype.size > 2 else tf.float32
    y, integers = tf.convert_to_tensor(cast_to(x, wide)), as_dtype(x.dtype).is_integer
    if integers and x_zero_point is not None:
        y = y - _broadcast_along(cast_to(x_zero_point, wide), x, axis, block_size)
    return tf.cast(y * tf.cast(_broadcast_along(x_scale, x, axis, block_size), wide), dtype)


@handles("DynamicQuantizeLinear", 11)
def dynamic_quantize_linear(x: Any) -> Any:
    low = tf.minimum(tf.reduce_min(x), 0)
    scale = (tf.maximum(tf.reduce_max(x), 0) - low) / 255
    scale = tf.where(scale > 0, scale, tf.ones_like(scale))  # all zeros: 1 as in ONNX Runtime; ONNX divides by 0
    zero_point = tf.round(tf.clip_by_value(-low / scale, 0, 255))
    return _round_to(x / scale, zero_point, tf.uint8), scale, tf.cast(zero_point, tf.uint8)


@handles("QLinearMatMul", 10, 21, static=("a_scale", "b_scale", "y_scale"))
def qlinear_matmul(
    a: Any,
    a_scale: Any,
    a_zero_point: Any,
    b: Any,
    b_scale: Any,
    b_zero_point: Any,
    y_scale: Any,
    y_zero_point: Any,
) -> Any:
    y = integer_product(subtract_zero_point(a, as_column(a_zero_point)), subtract_zero_point(b, b_zero_point))
    scales = (tf.cast(scale, tf.float32) for scale in (as_column(a_scale), b_scale, as_column(y_scale)))
    left, right, result = scales
    zero = as_column(y_zero_point)
    return _round_to(tf.cast(y, tf.float32) * (left * right / result), zero, as_dtype(y_zero_point.dtype))
