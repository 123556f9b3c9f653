"""Integer convolutions, channels last, computed in floats that represent every sum exactly."""

from __future__ import annotations

import math
from typing import Any

from convnet_core.convert.native.helpers.channels_last import handles_spatial
from convnet_core.convert.native.helpers.tensors import shape_of
from convnet_core.convert.native.helpers.windows import sliding_windows
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.ops.convolution import convolve


@handles_spatial("ConvInteger", 10)
def conv_integer(
    x: Any,
    w: Any,
    x_zero_point: Any = None,
    w_zero_point: Any = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: list[int] | None = None,
    group: int = 1,
    kernel_shape: list[int] | None = None,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> Any:
    sizes = shape_of(w, 0, -1)
    small = all(isinstance(size, int) for size in sizes) and math.prod(sizes) * 255**2 < 2**24
    dtype = tf.float32 if small else tf.float64
    x, w = (
        tf.cast(item, dtype) - (0 if zero is None else tf.cast(zero, dtype))
        for item, zero in ((x, x_zero_point), (w, w_zero_point))
    )
    windows = sliding_windows(x, kernel_shape or sizes[:-1], strides, dilations, pads, auto_pad)
    return tf.cast(convolve(x, w, None, windows, group), tf.int32)


@handles_spatial("QLinearConv", 10, static=("x_scale", "w_scale", "y_scale"))
def qlinear_conv(
    x: Any,
    x_scale: Any,
    x_zero_point: Any,
    w: Any,
    w_scale: Any,
    w_zero_point: Any,
    y_scale: Any,
    y_zero_point: Any,
    b: Any = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: list[int] | None = None,
    group: int = 1,
    kernel_shape: list[int] | None = None,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> Any:
    total = conv_integer(
        x,
        w,
        x_zero_point,
        w_zero_point,
        auto_pad=auto_pad,
        dilations=dilations,
        group=group,
        kernel_shape=kernel_shape,
        pads=pads,
        strides=strides,
    )
    total = total if b is None else total + b
    y = tf.round(tf.cast(total, tf.float32) * (x_scale * w_scale / y_scale))  # half to even
    dtype = tf.as_dtype(y_zero_point.dtype)
    return tf.cast(tf.clip_by_value(y + tf.cast(y_zero_point, tf.float32), dtype.min, dtype.max), dtype)
