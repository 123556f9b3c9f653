"""A varied set of digits as people draw them with a mouse: polylines and arcs, rendered by Pillow.

Independent of the package: different shapes and a different renderer. Size, pen, slant and position vary.
"""

import math

import numpy as np
from PIL import Image, ImageDraw


def arc(x, y, rx, ry, start, end, steps=24):
    """Points on an elliptical arc; angles in degrees, clockwise from the right because y points down."""
    angles = np.radians(np.linspace(start, end, steps))
    return [(x + rx * math.cos(a), y + ry * math.sin(a)) for a in angles]


DIGITS: dict[int, list[list[list[tuple[float, float]]]]] = {
    0: [[arc(0.5, 0.5, 0.32, 0.5, -90, 270)], [arc(0.5, 0.5, 0.4, 0.5, -120, 240)]],
    1: [[[(0.5, 0), (0.5, 1)]], [[(0.3, 0.22), (0.55, 0), (0.55, 1)]]],
    2: [
        [[*arc(0.5, 0.28, 0.32, 0.28, 190, 380), (0.2, 1.0), (0.85, 1.0)]],
        [[*arc(0.48, 0.25, 0.3, 0.25, 180, 400), (0.18, 0.97), (0.5, 0.93), (0.88, 0.98)]],
    ],
    3: [
        [[*arc(0.45, 0.25, 0.3, 0.25, -150, 90), *arc(0.45, 0.74, 0.36, 0.26, -90, 150)]],
        [[*arc(0.4, 0.23, 0.34, 0.23, -140, 80), *arc(0.4, 0.73, 0.4, 0.27, -80, 140)]],
    ],
    4: [
        [[(0.62, 0), (0.12, 0.66), (0.9, 0.66)], [(0.66, 0.3), (0.66, 1)]],
        [[(0.2, 0), (0.16, 0.52), (0.8, 0.52)], [(0.74, 0), (0.72, 1)]],
    ],
    5: [
        [[(0.8, 0), (0.25, 0), (0.2, 0.45), *arc(0.45, 0.7, 0.36, 0.3, -110, 140)]],
        [[(0.25, 0), (0.22, 0.42), *arc(0.42, 0.7, 0.36, 0.29, -100, 130)], [(0.25, 0), (0.82, 0.02)]],
    ],
    6: [
        [[(0.68, 0), (0.4, 0.25), (0.2, 0.62), *arc(0.5, 0.73, 0.3, 0.27, 180, -180)]],
        [[*arc(0.75, 0.75, 0.57, 0.75, -95, -180), *arc(0.47, 0.74, 0.29, 0.26, 180, 540)]],
    ],
    7: [[[(0.15, 0.02), (0.85, 0.02), (0.42, 1)]], [[(0.15, 0.03), (0.82, 0), (0.5, 0.5), (0.38, 1)]]],
    8: [
        [[*arc(0.5, 0.25, 0.25, 0.25, 90, 450), *arc(0.5, 0.74, 0.32, 0.26, -90, 270)]],
        [
            [
                *arc(0.5, 0.24, 0.26, 0.24, -60, -270),
                *arc(0.5, 0.74, 0.3, 0.26, -90, 270),
                *arc(0.5, 0.24, 0.26, 0.24, 90, -60),
            ]
        ],
    ],
    9: [
        [[*arc(0.48, 0.28, 0.3, 0.28, 0, -360), (0.78, 0.3), (0.7, 1)]],
        [[*arc(0.48, 0.28, 0.3, 0.28, -10, -370), (0.79, 0.6), (0.62, 0.95), (0.3, 0.98)]],
    ],
}


def drawings(count=200, seed=0, side=280):
    """`count` images uint8 [side, side], dark on light or light on dark, and their digits int64 [count]."""
    rng = np.random.default_rng(seed)
    images, digits = [], []
    for index in range(count):
        digit = index % 10
        shapes = DIGITS[digit]
        images.append(_draw(shapes[rng.integers(len(shapes))], rng, side))
        digits.append(digit)
    return images, np.array(digits)


def strokes(digit, side=280, pen=18):
    """A digit as the pad sends it: strokes of flat points x, y, x, y, in the middle of a pad of this side."""
    return [
        {"width": pen, "points": [round((0.2 + 0.6 * place) * side, 1) for point in stroke for place in point]}
        for stroke in DIGITS[digit][0]
    ]


def _draw(strokes, rng, side):
    height = rng.uniform(0.25, 0.9) * side  # small or large
    width = height * rng.uniform(0.6, 1.0)
    pen = max(2, round(height * rng.uniform(0.03, 0.15)))  # thin or thick
    slant, turn = rng.normal(0.08, 0.15), rng.normal(0, 0.09)
    image = Image.new("L", (side, side), 255)
    pencil = ImageDraw.Draw(image)
    points = [np.array(stroke) - 0.5 for stroke in strokes]
    points = [p + rng.normal(0, 0.006, p.shape) for p in points]  # the mouse trembles
    matrix = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    placed = [(p @ np.array([[width, 0], [-slant * height, height]])) @ matrix.T for p in points]
    low = np.min([p.min(0) for p in placed], axis=0)
    high = np.max([p.max(0) for p in placed], axis=0)
    room = np.maximum(side - 2 * pen - (high - low), 0)
    shift = pen - low + rng.uniform(0, 1, 2) * room  # off-center
    for p in placed:
        line = [tuple(point) for point in p + shift]
        pencil.line(line, fill=0, width=pen, joint="curve")
        for x, y in line:
            pencil.ellipse((x - pen / 2, y - pen / 2, x + pen / 2, y + pen / 2), fill=0)
    gray = np.asarray(image)
    return 255 - gray if rng.random() < 0.5 else gray
