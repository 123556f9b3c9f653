"""Deformable convolution, channels last: x [n, *space, c], weights [*kernel, in / group, out]; offsets as in ONNX."""

from __future__ import annotations

import math
from typing import Any

from convnet_core.convert.native.helpers.channels_last import spatial
from convnet_core.convert.native.helpers.sampling_points import blended, linear_taps
from convnet_core.convert.native.helpers.tensors import reshaped, shape_of, size_of, widened
from convnet_core.convert.native.helpers.windows import Window, sliding
from convnet_core.convert.native.lazy_tensorflow import tf


@spatial("DeformConv", 19, 22)
def deform_conv(
    x: Any,
    w: Any,
    offset: Any,
    b: Any = None,
    mask: Any = None,
    *,
    dilations: list[int] | None = None,
    group: int = 1,
    kernel_shape: list[int] | None = None,
    offset_group: int = 1,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> Any:
    *kernel, each, out = shape_of(w)
    windows = sliding(x, kernel, strides, dilations, pads, "NOTSET")
    n, channels = size_of(x, 0), size_of(x, -1)
    counts, taps = [window.count for window in windows], math.prod(kernel)
    groups, points = n * offset_group, math.prod(counts)
    moves = reshaped(widened(offset), [groups, taps, len(kernel), *counts])
    places = [linear_taps(_regular(windows, dim) + moves[:, :, dim]) for dim in range(len(kernel))]
    values = blended(_by_group(widened(x), offset_group), places)
    values = reshaped(values, [n, offset_group, taps, points, channels // offset_group])
    if mask is not None:
        values *= reshaped(widened(mask), [n, offset_group, taps, points, 1])
    rows = reshaped(tf.transpose(values, [0, 3, 1, 4, 2]), [n * points, group, each * taps])
    weights = tf.transpose(reshaped(widened(w), [taps, each, group, out // group]), [2, 1, 0, 3])
    weights = reshaped(weights, [group, each * taps, out // group])
    y = tf.transpose(tf.matmul(tf.transpose(rows, [1, 0, 2]), weights), [1, 0, 2])
    y = reshaped(y, [n, *counts, out])
    return tf.cast(y if b is None else y + widened(b), x.dtype)


def _by_group(x: Any, groups: int) -> Any:
    """[n, *space, c] as [n * groups, *space, c / groups]."""
    if groups == 1:
        return x
    n, *space, channels = shape_of(x)
    apart = reshaped(x, [n, math.prod(space), groups, channels // groups])
    return reshaped(tf.transpose(apart, [0, 2, 1, 3]), [n * groups, *space, channels // groups])


def _regular(windows: list[Window], dim: int) -> Any:
    """Where the values of the windows would be without offsets, along one dimension: [1, values, *windows]."""
    window, space = windows[dim], len(windows)
    inside, starts = [1] * space, [1] * space
    inside[dim], starts[dim] = -1, -1
    value = tf.reshape(tf.range(window.kernel) * window.dilation, inside)
    value = tf.reshape(tf.broadcast_to(value, [item.kernel for item in windows]), [1, -1, *[1] * space])
    start = tf.range(window.count) * window.stride - window.before
    return tf.cast(value, tf.float32) + tf.cast(tf.reshape(start, [1, 1, *starts]), tf.float32)
