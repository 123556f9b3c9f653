"""The indices of the maxima of max pooling, and MaxUnpool, which takes them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from convnet_core.convert.native.helpers.dtypes import lowest
from convnet_core.convert.native.helpers.shape_tensors import entries
from convnet_core.convert.native.helpers.tensors import pack_sizes, reshape_to, shape_of
from convnet_core.convert.native.helpers.windows import Window
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.registry import handles
from convnet_core.language import N_


def max_with_indices(x: Any, windows: Sequence[Window], column_major: bool) -> tuple[Any, Any]:
    """The maximum of each window of x [n, *space, c], and its index; ties go to the first.

    Indices count the values of the tensor [n, c, *space], as ONNX does; `column_major` numbers each image column by
    column.
    """
    positions = _flat_indices(x, column_major)
    sides = [[0, 0], *([window.before, window.after] for window in windows), [0, 0]]
    x, positions = tf.pad(x, sides, constant_values=lowest(x)), tf.pad(positions, sides)
    for axis, window in reversed(list(enumerate(windows, start=1))):
        part = [(*(slice(None),) * axis, window.part(position)) for position in range(window.kernel)]
        best, best_positions = x[part[0]], positions[part[0]]
        for item in part[1:]:
            better = x[item] > best
            best, best_positions = (
                tf.where(better, x[item], best),
                tf.where(better, positions[item], best_positions),
            )
        x, positions = best, best_positions
    return x, positions


def _flat_indices(x: Any, column_major: bool) -> Any:
    """The index of each value of x [n, *space, c] in the tensor [n, c, *space]."""
    n, *space, channels = shape_of(x)
    count = math.prod(space)
    inner = tf.range(tf.cast(count, tf.int64), dtype=tf.int64)
    if column_major:
        inner = tf.transpose(tf.reshape(inner, pack_sizes(space[::-1])))
    outer = tf.range(tf.cast(n * channels, tf.int64), dtype=tf.int64) * count
    ones = [1] * len(space)
    return reshape_to(outer, [n, *ones, channels]) + reshape_to(inner, [1, *space, 1])


@handles("MaxUnpool", 9, 11, 22, static=("output_shape",))
def max_unpool(
    x: Any,
    positions: Any,
    output_shape: Any = None,
    *,
    kernel_shape: list[int],
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> Any:
    n, channels, *sizes = shape_of(x)
    space = len(sizes)
    pads, strides = pads or [0] * (2 * space), strides or [1] * space
    rows = zip(sizes, kernel_shape, strides, pads[:space], pads[space:], strict=True)
    shape = [n, channels, *((size - 1) * stride + kernel - a - b for size, kernel, stride, a, b in rows)]
    flat = tf.zeros([math.prod(shape)], x.dtype)
    y = tf.tensor_scatter_nd_update(flat, tf.reshape(positions, [-1, 1]), tf.reshape(x, [-1]))
    y = reshape_to(y, shape)
    if output_shape is None:
        return y
    target = entries(output_shape, N_("the shape of an unpooled tensor"))
    return tf.pad(y, [[0, after - before] for after, before in zip(target, shape, strict=True)])
