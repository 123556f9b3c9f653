"""Deformable convolution, channels last: x [n, *space, c], weights [*kernel, in / group, out]; offsets as in ONNX."""

from __future__ import annotations

import math
from typing import Any

from convnet_core.convert.native.helpers.channels_last import handles_spatial
from convnet_core.convert.native.helpers.sampling_points import linear_taps, sample
from convnet_core.convert.native.helpers.tensors import reshape_to, shape_of, size_of, widen
from convnet_core.convert.native.helpers.windows import Window, sliding_windows
from convnet_core.convert.native.lazy_tensorflow import tf


@handles_spatial("DeformConv", 19, 22)
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
    windows = sliding_windows(x, kernel, strides, dilations, pads, "NOTSET")
    n, channels = size_of(x, 0), size_of(x, -1)
    counts, taps = [window.count for window in windows], math.prod(kernel)
    groups, points = n * offset_group, math.prod(counts)
    shifts = reshape_to(widen(offset), [groups, taps, len(kernel), *counts])
    positions = [linear_taps(_grid_positions(windows, dim) + shifts[:, :, dim]) for dim in range(len(kernel))]
    values = sample(_split_groups(widen(x), offset_group), positions)
    values = reshape_to(values, [n, offset_group, taps, points, channels // offset_group])
    if mask is not None:
        values *= reshape_to(widen(mask), [n, offset_group, taps, points, 1])
    rows = reshape_to(tf.transpose(values, [0, 3, 1, 4, 2]), [n * points, group, each * taps])
    weights = tf.transpose(reshape_to(widen(w), [taps, each, group, out // group]), [2, 1, 0, 3])
    weights = reshape_to(weights, [group, each * taps, out // group])
    y = tf.transpose(tf.matmul(tf.transpose(rows, [1, 0, 2]), weights), [1, 0, 2])
    y = reshape_to(y, [n, *counts, out])
    return tf.cast(y if b is None else y + widen(b), x.dtype)


def _split_groups(x: Any, groups: int) -> Any:
    """[n, *space, c] as [n * groups, *space, c / groups]."""
    if groups == 1:
        return x
    n, *space, channels = shape_of(x)
    split = reshape_to(x, [n, math.prod(space), groups, channels // groups])
    return reshape_to(tf.transpose(split, [0, 2, 1, 3]), [n * groups, *space, channels // groups])


def _grid_positions(windows: list[Window], dim: int) -> Any:
    """Positions of the window values without offsets along one dimension: [1, values, *windows]."""
    window, space = windows[dim], len(windows)
    inside, starts = [1] * space, [1] * space
    inside[dim], starts[dim] = -1, -1
    value = tf.reshape(tf.range(window.kernel) * window.dilation, inside)
    value = tf.reshape(tf.broadcast_to(value, [item.kernel for item in windows]), [1, -1, *[1] * space])
    start = tf.range(window.count) * window.stride - window.before
    return tf.cast(value, tf.float32) + tf.cast(tf.reshape(start, [1, 1, *starts]), tf.float32)
