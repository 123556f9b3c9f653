"""Pictures that are no digit: letters, scribbles, dots and pairs of digits, as images and as strokes on the pad.

`letters` pass through the same hand and pen as the digits (`data/strokes.py`), so only the shape tells them apart; the
others are strokes on the pad. Left out are letters that many people write like a digit: O o D Q (0), I i l (1), Z z
(2), S s (5), G b (6), B (8), g q (9), y (4 or 9); and c and j, which are a small C and J.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from convnet_core.data.pen import SIDE
from convnet_core.data.strokes import Hand, curves_of, ink_of
from testing.drawings import DIGITS


def _lines(*paths):
    """Strokes of one straight line each, as three points, so that they stay straight."""
    return [[a, ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2), b] for path in paths for a, b in pairwise(path)]


def _arc(x, y, rx, ry, start, end, steps=8):
    """Points on an elliptical arc; angles in degrees, clockwise from the right because y points down."""
    angles = np.radians(np.linspace(start, end, steps))
    return [(x + rx * math.cos(a), y + ry * math.sin(a)) for a in angles]


LETTERS = {
    "A": [_lines([(0.05, 1), (0.5, 0), (0.95, 1)], [(0.22, 0.62), (0.78, 0.62)])],
    "C": [[_arc(0.6, 0.5, 0.55, 0.5, -50, -310)]],
    "E": [_lines([(0.9, 0), (0.1, 0), (0.1, 1), (0.9, 1)], [(0.1, 0.5), (0.75, 0.5)])],
    "F": [_lines([(0.9, 0), (0.1, 0), (0.1, 1)], [(0.1, 0.48), (0.7, 0.48)])],
    "H": [_lines([(0.1, 0), (0.1, 1)], [(0.9, 0), (0.9, 1)], [(0.1, 0.5), (0.9, 0.5)])],
    "J": [[[(0.75, 0), (0.75, 0.4), *_arc(0.4, 0.7, 0.35, 0.3, 0, 170, 5)]]],
    "K": [_lines([(0.1, 0), (0.1, 1)], [(0.9, 0), (0.1, 0.55)], [(0.3, 0.45), (0.9, 1)])],
    "L": [_lines([(0.1, 0), (0.1, 1), (0.85, 1)])],
    "M": [_lines([(0.05, 1), (0.1, 0), (0.5, 0.7), (0.9, 0), (0.95, 1)])],
    "N": [_lines([(0.1, 1), (0.1, 0), (0.9, 1), (0.9, 0)])],
    "P": [[*_lines([(0.15, 0), (0.15, 1)]), [(0.15, 0.02), *_arc(0.4, 0.27, 0.5, 0.27, -80, 80, 5), (0.15, 0.54)]]],
    "R": [
        [
            *_lines([(0.15, 0), (0.15, 1)], [(0.4, 0.52), (0.9, 1)]),
            [(0.15, 0.02), *_arc(0.4, 0.26, 0.5, 0.26, -80, 80, 5), (0.15, 0.52)],
        ]
    ],
    "T": [_lines([(0.02, 0), (0.98, 0)], [(0.5, 0), (0.5, 1)])],
    "U": [[[(0.08, 0), (0.08, 0.45), *_arc(0.5, 0.62, 0.42, 0.38, 180, 0, 5), (0.92, 0.45), (0.92, 0)]]],
    "V": [_lines([(0.05, 0), (0.5, 1), (0.95, 0)])],
    "W": [_lines([(0.02, 0), (0.26, 1), (0.5, 0.3), (0.74, 1), (0.98, 0)])],
    "X": [_lines([(0.05, 0), (0.95, 1)], [(0.95, 0), (0.05, 1)])],
    "Y": [_lines([(0.05, 0), (0.5, 0.5), (0.95, 0)], [(0.5, 0.5), (0.5, 1)])],
    "a": [[[*_arc(0.45, 0.55, 0.4, 0.45, -20, -340, 7)], *_lines([(0.88, 0.1), (0.88, 0.9)]), [(0.88, 0.9), (1, 1)]]],
    "d": [[_arc(0.42, 0.7, 0.38, 0.3, -20, -340, 7), *_lines([(0.82, 0), (0.82, 1)])]],
    "e": [[[(0.1, 0.52), (0.5, 0.5), (0.92, 0.48), *_arc(0.5, 0.5, 0.42, 0.5, -25, -310, 8)]]],
    "f": [[[(0.9, 0.1), (0.65, 0), (0.42, 0.2), (0.4, 0.6), (0.4, 1)], *_lines([(0.1, 0.42), (0.8, 0.42)])]],
    "h": [[*_lines([(0.1, 0), (0.1, 1)]), [(0.1, 0.6), (0.45, 0.42), (0.8, 0.58), (0.82, 0.8), (0.82, 1)]]],
    "k": [_lines([(0.1, 0), (0.1, 1)], [(0.75, 0.4), (0.1, 0.72)], [(0.3, 0.62), (0.8, 1)])],
    "m": [
        [
            *_lines([(0.02, 0), (0.02, 1)]),
            [(0.02, 0.3), (0.26, 0), (0.48, 0.3), (0.5, 1)],
            [(0.5, 0.3), (0.74, 0), (0.96, 0.3), (0.98, 1)],
        ]
    ],
    "n": [[*_lines([(0.1, 0), (0.1, 1)]), [(0.1, 0.3), (0.5, 0), (0.88, 0.3), (0.9, 0.65), (0.9, 1)]]],
    "p": [[*_lines([(0.15, 0), (0.15, 1)]), _arc(0.5, 0.3, 0.4, 0.29, -160, 160, 7)]],
    "r": [[*_lines([(0.2, 0), (0.2, 1)]), [(0.2, 0.35), (0.5, 0.03), (0.9, 0.1)]]],
    "t": [[[(0.45, 0), (0.45, 0.5), (0.5, 0.9), (0.7, 1), (0.9, 0.9)], *_lines([(0.1, 0.3), (0.85, 0.3)])]],
    "u": [[[(0.1, 0), (0.1, 0.6), (0.4, 1), (0.75, 0.8), (0.88, 0.4)], *_lines([(0.88, 0), (0.88, 1)])]],
    "v": [[[(0.05, 0), (0.3, 0.55), (0.5, 1), (0.7, 0.55), (0.95, 0)]]],
    "w": [[[(0.02, 0), (0.1, 0.7), (0.27, 1), (0.45, 0.7), (0.5, 0.3), (0.55, 0.7), (0.73, 1), (0.9, 0.7), (0.98, 0)]]],
    "x": [[[(0.05, 0), (0.3, 0.25), (0.7, 0.75), (0.95, 1)], [(0.95, 0), (0.7, 0.25), (0.3, 0.75), (0.05, 1)]]],
}
"""Each letter's variants, as strokes in a box from (0, 0) at the top left to (1, 1) at the bottom right."""


def letters(count, seed):
    """`count` images uint8 [count, 28, 28] with bright ink, in the hand of the generated digits, and their letters."""
    rng = np.random.default_rng([seed, 1])
    names = [list(LETTERS)[index % len(LETTERS)] for index in range(count)]
    curves = np.concatenate([curves_of(LETTERS[name][0], 1, rng, Hand()) for name in names])
    return ink_of(curves, np.full(count, 0.85, np.float32), rng, Hand()), names


def drawn_letter(rng):
    """A letter on the pad."""
    name = list(LETTERS)[rng.integers(len(LETTERS))]
    return on_pad([_smooth(stroke) for stroke in LETTERS[name][0]], rng)


def drawn_digit(rng):
    """A digit on the pad."""
    shapes = DIGITS[int(rng.integers(10))]
    return on_pad(shapes[rng.integers(len(shapes))], rng)


def scribble(rng):
    """A pen that wanders through 7 to 20 random points."""
    return on_pad([_smooth(rng.uniform(0, 1, (rng.integers(7, 21), 2)))], rng)


def pair(rng):
    """Two digits beside each other, close or touching."""
    one, other = (DIGITS[int(digit)][0] for digit in rng.integers(0, 10, 2))
    gap = rng.uniform(0.85, 1.2)
    return on_pad([*one, *([(x + gap, y) for x, y in stroke] for stroke in other)], rng)


def dot(rng):
    """A dot: a click, or a short move of the pen."""
    length = rng.choice([0.0, 0.01, 0.02])
    return on_pad([[(0.5, 0.5), (0.5 + length, 0.5 + length)]], rng)


def on_pad(strokes, rng):
    """Strokes in a unit box as the pad sends them: of some size, somewhere, slanted and turned a little."""
    points = [np.asarray(stroke, float) for stroke in strokes]
    size = rng.uniform(0.35, 0.75)
    turn, slant = rng.normal(0, 0.08), rng.normal(0.05, 0.12)
    matrix = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]) @ [[1, -slant], [0, 1]]
    placed = [(stroke + rng.normal(0, 0.006, stroke.shape)) @ matrix.T for stroke in points]
    low, high = np.min([stroke.min(0) for stroke in placed], 0), np.max([stroke.max(0) for stroke in placed], 0)
    scale = size / max((high - low).max(), 0.5)  # a dot stays small
    shift = 0.5 - (low + high) / 2 * scale + rng.uniform(-0.1, 0.1, 2)
    pen = float(rng.uniform(10, 28))
    return [
        {"width": pen, "points": [float(number) for number in (SIDE * (scale * stroke + shift)).ravel()]}
        for stroke in placed
    ]


def _smooth(points, steps=12):
    """A Catmull-Rom curve through points [n, 2], in short steps."""
    padded = np.concatenate([points[:1], points, points[-1:]])
    t = np.linspace(0, 1, steps)[:, None]
    parts = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False)
    ]
    return np.concatenate(parts)
