"""Interpolate images [n, *space, c] at points between pixels."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

from convnet_core.convert.native.helpers.tensors import clamp, reshape_to, shape_of
from convnet_core.convert.native.lazy_tensorflow import tf

Taps = list[tuple[Any, Any]]
"""Along one dimension, the contributing pixels of each point as pairs of position (integral float) and weight."""


def nearest_taps(position: Any) -> Taps:
    """The nearest pixel; ties go to the even one."""
    return [(tf.round(position), None)]


def linear_taps(position: Any) -> Taps:
    """The two neighboring pixels."""
    low = tf.floor(position)
    return [(low, 1 - (position - low)), (low + 1, position - low)]


def cubic_taps(position: Any, a: float = -0.75) -> Taps:
    """Four pixels, by cubic convolution with the coefficient `a`."""
    low = tf.floor(position)
    t = position - low

    def inner(x: Any) -> Any:
        return ((a + 2) * x - (a + 3)) * x * x + 1

    def outer(x: Any) -> Any:
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    return [(low - 1, outer(t + 1)), (low, inner(t)), (low + 1, inner(1 - t)), (low + 2, outer(2 - t))]


def sample(x: Any, taps: Sequence[Taps], border: Callable[[Any, int], Any] | None = None) -> Any:
    """Weighted sums of pixels, [n, *points, c], from taps [n, *points] along each spatial dimension.

    `border` maps positions along a dimension to inside the image; without it, pixels outside count as zero.
    """
    n, *space, channels = shape_of(x)
    table = reshape_to(x, [n, math.prod(space), channels])
    points = shape_of(taps[0][0][0])
    total: Any = 0
    for corner in itertools.product(*taps):
        row: Any = 0
        weight = None
        for dim, (position, factor) in enumerate(corner):
            factors = [factor]
            if border is None:
                factors.append(_inside(position, space[dim], x.dtype))
            else:
                position = border(position, dim)
            position = clamp(tf.cast(position, tf.int32), 0, tf.cast(space[dim], tf.int32) - 1)
            row = row * tf.cast(space[dim], tf.int32) + position
            for item in factors:
                weight = item if weight is None else weight if item is None else weight * item
        values = tf.gather(table, reshape_to(row, [n, math.prod(points[1:])]), batch_dims=1)
        total += values if weight is None else values * reshape_to(weight, [n, math.prod(points[1:]), 1])
    return reshape_to(total, [*points, channels])


def _inside(position: Any, size: Any, dtype: Any) -> Any:
    return tf.cast(tf.logical_and(position >= 0, position <= tf.cast(size, position.dtype) - 1), dtype)
