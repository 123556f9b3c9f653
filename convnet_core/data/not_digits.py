"""Marks that are no digit, in the same hand as the generated digits: what the sketchpad's doubt is learned from.

Strokes between the points of a coarse grid, as in letters and signs; tangles; digits turned, mirrored, beside each
other or crossed out; dots. None of them is a letter on purpose.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from convnet_core.data.drawing import prepare
from convnet_core.data.pen import SIDE, Stroke, render
from convnet_core.data.skeletons import SKELETONS, Point, Skeleton
from convnet_core.data.strokes import Hand, curves_of, ink_of

VERSION = 1
"""Increase it when the same seed gives different marks."""

CALM = Hand(
    jitter=0.03, wave=0.03, ends=0.08, slant=0.12, rotation=0.08, radius=(1.0, 2.0), edge=(0.8, 1.2),
    rough=0.1, grain=0.05, pressure=0.1,
)  # fmt: skip
"""A hand that draws with care, as on a pad."""

_GRID: list[Point] = [(x / 2, y / 2) for x in range(3) for y in range(3)]
_TURNED, _MIRRORED = (2, 3, 4, 5, 7), (3, 4, 6, 7, 9)  # digits that are none after it; a turned 6 is a 9 to many


def generate(count: int, seed: int) -> NDArray[np.uint8]:
    """`count` images of marks, uint8 [count, 28, 28] with bright ink; a third of the signs are drawn with care.

    Tangles and dots take the way of a drawing on the pad, where the pen decides their shape.
    """
    images = []
    for part, (hand, share) in enumerate(((Hand(), 0.5), (CALM, 0.28))):
        rng = np.random.default_rng([seed, part])
        kinds = rng.choice(len(_KINDS), round(count * share), p=_SHARES)
        skeletons = [_KINDS[kind](rng) for kind in kinds]
        curves = np.concatenate([curves_of(skeleton, 1, rng, hand) for skeleton in skeletons])
        images.append(ink_of(curves, rng.uniform(0.55, 1.1, len(curves)).astype(np.float32), rng, hand))
    rng = np.random.default_rng([seed, 2])
    for draw, share in ((_tangle, 0.14), (_dot, 0.08)):
        drawn = [prepare(render((draw(rng),))) for _ in range(round(count * share))]
        images.append(np.rint(255 * np.stack(drawn)).astype(np.uint8))
    return np.concatenate(images)[:count]


def _signs(rng: np.random.Generator) -> Skeleton:
    """One to four lines and curves between points of the grid; most start on an earlier one."""
    strokes: Skeleton = []
    touched: list[Point] = []
    for _ in range(rng.integers(1, 5)):
        path = [touched[rng.integers(len(touched))] if touched and rng.random() < 0.75 else _GRID[rng.integers(9)]]
        for _ in range(1 if rng.random() < 0.6 else rng.integers(2, 4)):
            path.append([point for point in _GRID if point != path[-1]][rng.integers(8)])
        straight = len(path) == 2 or rng.random() < 0.4
        pieces = [[one, _middle(one, other), other] for one, other in pairwise(path)]
        strokes += pieces if straight else [path]
        touched += path + [piece[1] for piece in pieces]
    return strokes


def _middle(one: Point, other: Point) -> Point:
    return (one[0] + other[0]) / 2, (one[1] + other[1]) / 2


def _tangle(rng: np.random.Generator) -> Stroke:
    """A pen that wanders through random points."""
    path = [(x, y) for x, y in rng.uniform(0, 1, (rng.integers(6, 21), 2))]
    (curve,) = curves_of([path], 1, rng, CALM)
    places = SIDE * (0.5 + rng.uniform(0.35, 0.75) * curve)
    return Stroke(rng.uniform(10, 28), tuple((float(x), float(y)) for x, y in places))


def _dot(rng: np.random.Generator) -> Stroke:
    """A click, or a move of the pen that is short for its width."""
    width, angle = rng.uniform(6, 40), rng.uniform(0, 2 * np.pi)
    length = width * rng.uniform(0, 1.3)
    middle = SIDE / 2
    return Stroke(width, ((middle, middle), (middle + length * np.cos(angle), middle + length * np.sin(angle))))


def _pair(rng: np.random.Generator) -> Skeleton:
    one, other = (_digit(int(digit), rng) for digit in rng.integers(0, 10, 2))
    gap = rng.uniform(0.75, 1.2)
    return [*one, *([(x + gap, y) for x, y in stroke] for stroke in other)]


def _crossed_out(rng: np.random.Generator) -> Skeleton:
    lines = rng.uniform(-0.1, 1.1, (2, 3, 2))
    return [*_digit(int(rng.integers(10)), rng), *([(x, y) for x, y in line] for line in lines)]


def _turned(rng: np.random.Generator) -> Skeleton:
    strokes = _digit(int(rng.choice(_TURNED)), rng)
    left = rng.random() < 0.5
    return [[(y, 1 - x) if left else (1 - y, x) for x, y in stroke] for stroke in strokes]


def _mirrored(rng: np.random.Generator) -> Skeleton:
    return [[(1 - x, y) for x, y in stroke] for stroke in _digit(int(rng.choice(_MIRRORED)), rng)]


def _digit(digit: int, rng: np.random.Generator) -> Skeleton:
    weights = np.array([weight for weight, _ in SKELETONS[digit]])
    return SKELETONS[digit][rng.choice(len(weights), p=weights / weights.sum())][1]


_KINDS = (_signs, _pair, _crossed_out, _turned, _mirrored)
_SHARES = (0.7, 0.08, 0.06, 0.08, 0.08)
