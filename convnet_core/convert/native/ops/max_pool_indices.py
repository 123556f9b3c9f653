"""Max pooling that returns the indices of the maxima, and MaxUnpool. In ONNX's layout: [n, c, *space]."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from convnet_core.convert.native.helpers.shape_tensors import entries
from convnet_core.convert.native.helpers.tensors import pack_sizes, rank_of, reshape_to, shape_of
from convnet_core.convert.native.helpers.windows import Window, sliding_windows
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.ops.pooling import lowest, max_pool
from convnet_core.convert.native.passes.channels_last import to_first, to_last
from convnet_core.convert.native.registry import handles


@handles("MaxPool", 1, 8, 10, 11, 12, 22)
def max_pool_with_indices(
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
    last = tf.transpose(x, to_last(rank_of(x)))
    if outputs == 1:
        y = max_pool(
            last,
            kernel_shape=kernel_shape,
            auto_pad=auto_pad,
            ceil_mode=ceil_mode,
            dilations=dilations,
            pads=pads,
            strides=strides,
        )
        return tf.transpose(y, to_first(rank_of(x)))
    windows = sliding_windows(last, kernel_shape, strides, dilations, pads, auto_pad, ceil_mode)
    return _window_max(x, _flat_indices(x, bool(storage_order)), windows)


def _flat_indices(x: Any, column_major: bool) -> Any:
    """Flat indices of all values in x; `column_major` numbers each image column by column."""
    n, channels, *space = shape_of(x)
    count = math.prod(space)
    inner = tf.range(tf.cast(count, tf.int64), dtype=tf.int64)
    if column_major:
        inner = tf.transpose(tf.reshape(inner, pack_sizes(space[::-1])))
    outer = tf.range(tf.cast(n * channels, tf.int64), dtype=tf.int64) * count
    ones = [1] * len(space)
    return reshape_to(outer, [n, channels, *ones]) + reshape_to(inner, [1, 1, *space])


def _window_max(x: Any, positions: Any, windows: Sequence[Window]) -> tuple[Any, Any]:
    """The maximum of each window and its position; ties go to the first."""
    sides = [[0, 0], [0, 0], *([window.before, window.after] for window in windows)]
    x, positions = tf.pad(x, sides, constant_values=lowest(x)), tf.pad(positions, sides)
    for axis, window in reversed(list(enumerate(windows, start=2))):
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
    target = entries(output_shape, "the shape of an unpooled tensor")
    return tf.pad(y, [[0, after - before] for after, before in zip(target, shape, strict=True)])
