"""Convolutions, channels last: x [n, *space, c], weights [*kernel, in, out].

All use TensorFlow's 2D convolution: the 3D one is slower, and supports neither groups nor dilations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convnet_core.convert.native.helpers.channels_last import handles_spatial
from convnet_core.convert.native.helpers.tensors import reshape_to, shape_of, size_of, widen
from convnet_core.convert.native.helpers.windows import Window, pad_windows, paddings, sliding_windows
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.errors import ConversionError
from convnet_core.language import _

_POINT = Window(1, 1)


@handles_spatial("Conv", 1, 11, 22)
def conv(
    x: Any,
    w: Any,
    b: Any = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: list[int] | None = None,
    group: int = 1,
    kernel_shape: list[int] | None = None,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> Any:
    kernel = kernel_shape or shape_of(w, 0, -2)
    windows = sliding_windows(x, kernel, strides, dilations, pads, auto_pad)
    y = convolve(widen(x), widen(w), widen(b), windows, group)
    return tf.cast(y, x.dtype)


def convolve(x: Any, w: Any, b: Any, windows: Sequence[Window], group: int = 1) -> Any:
    """Convolve x with w, plus an optional bias b."""
    match len(windows):
        case 1:
            y = _images(tf.expand_dims(x, 1), tf.expand_dims(w, 0), b, [_POINT, *windows], group)
            return tf.squeeze(y, 1)
        case 2:
            return _images(x, w, b, windows, group)
        case 3:
            return _volumes(x, w, b, windows, group)
    raise ConversionError(_("a convolution over {count} dimensions: 1 to 3 are supported", count=len(windows)))


def _images(x: Any, w: Any, b: Any, windows: Sequence[Window], group: int) -> Any:
    strides, dilations = [window.stride for window in windows], [window.dilation for window in windows]
    pads, same = any(window.has_padding for window in windows), all(window.same for window in windows)
    padding: Any = "SAME" if same and pads else "VALID"
    height, width, each, out = shape_of(w)
    depthwise = group > 1 and isinstance(each, int) and each == 1 and strides[0] == strides[1] and dilations == [1, 1]
    counted = all(isinstance(side, int) for window in windows for side in (window.before, window.after))
    if pads and not same and counted and not depthwise:
        padding = paddings(windows)
    elif pads and not same:  # a depthwise convolution with explicit padding aborts the process under oneDNN
        x = pad_windows(x, windows)
    if depthwise:
        filters = reshape_to(w, [height, width, group, out // group])
        y = tf.nn.depthwise_conv2d(x, filters, [1, *strides, 1], padding)
    else:
        y = tf.nn.conv2d(x, w, strides, padding, dilations=dilations)
        if group > 1:  # Without oneDNN, TensorFlow would fuse it with the next op, in a kernel without groups.
            y = tf.ensure_shape(y, y.shape)  # It costs nothing and blocks that fusion.
    return y if b is None else tf.nn.bias_add(y, b)


def _volumes(x: Any, w: Any, b: Any, windows: Sequence[Window], group: int) -> Any:
    """A 3D convolution as the sum of 2D convolutions over the kernel depth."""
    depth, *plane = windows
    n, _, height, width, channels = shape_of(x)
    if all(window.kernel == window.stride == 1 and not window.has_padding for window in plane):
        rows = reshape_to(x, [n, depth.size, height * width, channels])
        y = _images(rows, tf.squeeze(w, 1), b, [depth, _POINT], group)
        return reshape_to(y, [n, depth.count, height, width, size_of(y, -1)])
    x = pad_windows(x, [depth, _POINT, _POINT])
    parts = []
    for index in range(depth.kernel):
        images = x if depth.kernel == depth.stride == 1 else x[:, depth.part(index)]
        images = reshape_to(images, [n * depth.count, height, width, channels])
        parts.append(_images(images, w[index], b if index == 0 else None, plane, group))
    y = parts[0] if len(parts) == 1 else tf.add_n(parts)
    return reshape_to(y, [n, depth.count, *shape_of(y, 1)])
