"""The values of images [n, *space, c] at points between the pixels."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

from convnet_core.convert.native.helpers.tensors import clamp, reshape_to, shape_of
from convnet_core.convert.native.lazy_tensorflow import tf

Taps = list[tuple[Any, Any]]
"""Along one dimension, the pixels that count for each point: their place (a whole number, as float), their weight."""


def nearest_taps(place: Any) -> Taps:
    """The nearest pixel; the even one of two."""
    return [(tf.round(place), None)]


def linear_taps(place: Any) -> Taps:
    """The pixels on both sides."""
    low = tf.floor(place)
    return [(low, 1 - (place - low)), (low + 1, place - low)]


def cubic_taps(place: Any, a: float = -0.75) -> Taps:
    """Four pixels."""
    low = tf.floor(place)
    t = place - low

    def inner(x: Any) -> Any:
        return ((a + 2) * x - (a + 3)) * x * x + 1

    def outer(x: Any) -> Any:
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    return [(low - 1, outer(t + 1)), (low, inner(t)), (low + 1, inner(1 - t)), (low + 2, outer(2 - t))]


def sample(x: Any, taps: Sequence[Taps], border: Callable[[Any, int], Any] | None = None) -> Any:
    """The weighted sums of pixels, [n, *points, c], for taps along each spatial dimension, [n, *points] each.

    `border` brings the places along a dimension inside; without it, what is outside counts as zero.
    """
    n, *space, channels = shape_of(x)
    table = reshape_to(x, [n, math.prod(space), channels])
    points = shape_of(taps[0][0][0])
    total: Any = 0
    for corner in itertools.product(*taps):
        row: Any = 0
        weight = None
        for dim, (place, share) in enumerate(corner):
            shares = [share]
            if border is None:
                shares.append(_inside(place, space[dim], x.dtype))
            else:
                place = border(place, dim)
            place = clamp(tf.cast(place, tf.int32), 0, tf.cast(space[dim], tf.int32) - 1)
            row = row * tf.cast(space[dim], tf.int32) + place
            for item in shares:
                weight = item if weight is None else weight if item is None else weight * item
        values = tf.gather(table, reshape_to(row, [n, math.prod(points[1:])]), batch_dims=1)
        total += values if weight is None else values * reshape_to(weight, [n, math.prod(points[1:]), 1])
    return reshape_to(total, [*points, channels])


def _inside(place: Any, size: Any, dtype: Any) -> Any:
    return tf.cast(tf.logical_and(place >= 0, place <= tf.cast(size, place.dtype) - 1), dtype)
