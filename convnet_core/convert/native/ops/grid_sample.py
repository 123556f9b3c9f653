"""Sample images at grid points, channels last: x [n, *space, c]."""

from __future__ import annotations

from typing import Any

from convnet_core.convert.native.helpers.channels_last import handles_spatial
from convnet_core.convert.native.helpers.sampling_points import cubic_taps, linear_taps, nearest_taps, sample
from convnet_core.convert.native.helpers.shape_tensors import entries
from convnet_core.convert.native.helpers.tensors import reshape_to, shape_of, size_of, widen
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.registry import handles

_TAPS = {
    "bilinear": linear_taps,
    "linear": linear_taps,
    "nearest": nearest_taps,
    "bicubic": cubic_taps,
    "cubic": cubic_taps,
}


@handles_spatial("GridSample", 16, 20, 22)
def grid_sample(x: Any, grid: Any, *, align_corners: int = 0, mode: str = "linear", padding_mode: str = "zeros") -> Any:
    """`grid` [n, *points, dimensions], the last dimension of x first, from -1 to 1."""
    wide, grid = widen(x), tf.cast(grid, widen(x).dtype)
    sizes = [tf.cast(size, grid.dtype) for size in shape_of(x, 1, -1)]
    edge = 0.0 if align_corners else 0.5  # how far the image extends beyond the centers of its border pixels

    def inside(position: Any, dim: int) -> Any:
        if padding_mode == "border":
            return tf.clip_by_value(position, 0.0, sizes[dim] - 1)
        return _reflect(position, -edge, sizes[dim] - 1 + edge)

    taps = []
    for dim, size in enumerate(sizes):
        coordinate = grid[..., len(sizes) - 1 - dim]
        position = (coordinate + 1) / 2 * (size - 1) if align_corners else ((coordinate + 1) * size - 1) / 2
        position = tf.round(position) if mode == "nearest" else position
        if padding_mode == "reflection" or (padding_mode == "border" and _TAPS[mode] is not cubic_taps):
            beyond = tf.logical_or(position < -edge, position > size - 1 + edge)
            position = tf.where(beyond, inside(position, dim), position)
        taps.append(_TAPS[mode](position))
    return tf.cast(sample(wide, taps, None if padding_mode == "zeros" else inside), x.dtype)


def _reflect(position: Any, low: Any, high: Any) -> Any:
    """Reflect positions at the borders until they are inside."""
    length = tf.maximum(high - low, 1e-6)
    reflected = low + length - tf.abs(tf.math.floormod(position - low, 2 * length) - length)
    return tf.where(tf.logical_or(position < low, position > high), reflected, position)


@handles("AffineGrid", 20, static=("size",))
def affine_grid(theta: Any, size: Any, *, align_corners: int = 0) -> Any:
    """A grid [n, *space, dimensions]: regular points transformed by the matrices `theta`."""
    sizes = entries(size)
    space, dtype = sizes[2:], widen(theta).dtype
    axes = [_grid_axis(count, bool(align_corners), dtype) for count in space]
    grid = tf.meshgrid(*axes, indexing="ij")
    points = tf.stack([*grid[::-1], tf.ones_like(grid[0])], axis=-1)
    flat = tf.reshape(points, [-1, len(space) + 1])
    points_out = tf.matmul(flat, widen(theta), transpose_b=True)
    return tf.cast(reshape_to(points_out, [size_of(theta, 0), *space, len(space)]), theta.dtype)


def _grid_axis(count: Any, align_corners: bool, dtype: Any) -> Any:
    """Points from -1 to 1: either the end points (`align_corners`) or the centers of pixels that cover the range."""
    position, count = tf.cast(tf.range(count), dtype), tf.cast(count, dtype)
    if align_corners:
        return tf.where(count > 1, position * 2 / tf.maximum(count - 1, 1) - 1, tf.zeros_like(position))
    return (2 * position + 1) / count - 1
