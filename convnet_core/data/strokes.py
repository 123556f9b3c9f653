"""Synthetic handwriting: skeletons of strokes, a shaky hand, a pen.

Each image starts from one of the digit's skeletons (`skeletons.py`). The hand moves each point a
little, starts and ends strokes early or late, bends the digit with a slow wave, and slants, rotates
and stretches it. The pen follows the curve, the paper makes the edges soft and rough, and the ink
is arranged as in MNIST: 28 x 28 uint8, ink scaled to 20 x 20, center of mass in the middle. Uses
only NumPy; the same seed gives the same bytes. docs/PERFORMANCE.md shows what each step contributes.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convnet_core.data.skeletons import SKELETONS, Point, Skeleton

VERSION = 2
"""Increase it when the same seed gives different bytes, so caches do not return images of an older generator."""

SIDE, BOX = 28, 20
_SAMPLES = 72  # points along the curve; at most about a pixel apart
_CHUNK = 500  # images that share a random generator and are drawn together

_PEN = np.array((1.1, 1.1, 0.95, 0.9, 0.8, 0.8, 0.85, 0.92, 0.66, 0.75), np.float32)
"""The relative width of the pen for each digit: people avoid filling the space between close strokes. Fitted to the
widths of the lines in MNIST's training images.
"""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Hand:
    """The variation of a handwriting. Lengths are relative to the digit's height unless noted."""

    jitter: float = 0.075  # standard deviation of each point
    wave: float = 0.075  # standard deviation of the slow wave that bends the digit
    ends: float = 0.2  # standard deviation of a stroke's start and end, relative to its first and last segment
    lean: float = 0.18  # mean horizontal shift from bottom to top, to the right
    slant: float = 0.28  # standard deviation of that shift
    rotation: float = 0.13  # radians, standard deviation
    aspect: tuple[float, float] = (0.6, 1.15)  # width over height of the skeleton's box
    radius: tuple[float, float] = (0.8, 2.4)  # of the pen, in pixels of the 28 x 28 image; see _PEN
    pressure: float = 0.3  # variation of the ink along the curve
    edge: tuple[float, float] = (0.8, 1.8)  # width of the edge between paper and ink, in pixels
    rough: float = 0.3  # maximum standard deviation of the edge, in pixels; two pixels wide
    grain: float = 0.2  # the same for the paper's grain, one pixel wide


def generate(
    count: int, seed: int, hand: Hand | None = None, progress: Callable[[int, int], None] | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Generate `count` images, uint8 [count, 28, 28] with bright ink, and their labels, uint8 [count].

    The digits are equally frequent and in random order. A smaller `count` gives the first images of a larger
    one. Calls `progress` with (done, total).
    """
    style = hand or Hand()
    chunks = -(-count // _CHUNK)
    labels = np.empty(chunks * _CHUNK, np.uint8)
    images = np.empty((chunks * _CHUNK, SIDE, SIDE), np.uint8)

    def fill(index: int) -> None:
        chunk = slice(index * _CHUNK, (index + 1) * _CHUNK)
        rng = np.random.default_rng([seed, index])
        labels[chunk] = rng.permutation(np.arange(_CHUNK) % 10)
        images[chunk] = _draw(labels[chunk], rng, style)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for done, _ in enumerate(pool.map(fill, range(chunks)), start=1):
            if progress:
                progress(min(done * _CHUNK, count), count)
    return images[:count], labels[:count]


def _draw(labels: NDArray[np.uint8], rng: np.random.Generator, hand: Hand) -> NDArray[np.uint8]:
    """Draw one image per label, uint8 [n, 28, 28]."""
    curves = np.empty((len(labels), _SAMPLES, 2), np.float32)
    for digit in range(10):
        variants = SKELETONS[digit]
        frequency = np.array([weight for weight, _ in variants])
        choice = np.where(labels == digit, rng.choice(len(variants), len(labels), p=frequency / frequency.sum()), -1)
        for variant, (_, skeleton) in enumerate(variants):
            rows = np.flatnonzero(choice == variant)
            curves[rows] = curves_of(skeleton, len(rows), rng, hand)
    return ink_of(curves, _PEN[labels], rng, hand)


def curves_of(skeleton: Skeleton, count: int, rng: np.random.Generator, hand: Hand) -> Floats:
    """The paths of the pen for `count` images of a skeleton, float32 [count, samples, 2], around (0, 0)."""
    points, basis = _skeleton(tuple(map(tuple, skeleton)))
    jittered = points + rng.normal(0, hand.jitter, (count, *points.shape)).astype(np.float32)
    _move_ends(jittered, skeleton, rng, hand)
    curves: Floats = basis @ jittered
    return curves


def plain_digit(digit: int) -> list[Floats]:
    """The strokes of the digit's most frequent skeleton, drawn by a steady hand: float32 [samples, 2] each.

    Around (0, 0), one unit wide and high.
    """
    _, skeleton = max(SKELETONS[digit], key=lambda variant: variant[0])
    return [basis @ points for points, basis in (_skeleton((tuple(stroke),)) for stroke in skeleton)]


def ink_of(curves: Floats, pen: Floats, rng: np.random.Generator, hand: Hand) -> NDArray[np.uint8]:
    """Draw curves [n, samples, 2] with pens of these relative widths [n], uint8 [n, 28, 28]."""
    curves = _bend(curves, rng, hand)
    radius = rng.uniform(*hand.radius, len(curves)).astype(np.float32) * pen
    curves = _fit(curves, radius)
    distance = _distance(curves, radius, _pressure(len(curves), rng, hand))
    return _ink(distance - _fray(len(curves), rng, hand), radius, rng.uniform(*hand.edge, len(curves)))


def _move_ends(points: Floats, strokes: Skeleton, rng: np.random.Generator, hand: Hand) -> None:
    """Move the ends of each stroke of points [n, k, 2] along the stroke, in place."""
    first = 0
    for stroke in strokes:
        last = first + len(stroke) - 1
        for end, inner in ((first, first + 1), (last, last - 1)):
            points[:, end] += rng.normal(0, hand.ends, (len(points), 1)).astype(np.float32) * (
                points[:, end] - points[:, inner]
            )
        first = last + 1


@functools.cache
def _skeleton(strokes: tuple[tuple[Point, ...], ...]) -> tuple[Floats, Floats]:
    """The points of a skeleton [k, 2], and the matrix [samples, k] that maps points to the curve.

    The matrix is block diagonal with a block per stroke; the number of samples is proportional to a stroke's length.
    """
    lengths = np.array([np.abs(np.diff(np.array(stroke), axis=0)).sum() for stroke in strokes])
    ends = np.rint(np.cumsum(lengths) / lengths.sum() * _SAMPLES).astype(int)
    points = np.concatenate([np.array(stroke, np.float32) for stroke in strokes])
    basis = np.zeros((_SAMPLES, len(points)), np.float32)
    row = column = 0
    for stroke, end in zip(strokes, ends, strict=True):
        basis[row:end, column : column + len(stroke)] = _catmull_rom(len(stroke), end - row)
        row, column = end, column + len(stroke)
    return points - np.float32(0.5), basis


def _catmull_rom(points: int, samples: int) -> Floats:
    """The weights [samples, points] of a uniform Catmull-Rom spline (tension 0.5) with doubled ends.

    Source: E. Catmull, R. Rom, "A class of local interpolating splines", 1974.
    """
    place = np.linspace(0, points - 1, samples)
    start = np.minimum(place.astype(int), points - 2)
    t = place - start
    weights = 0.5 * np.stack(
        [-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, -(t**2) + t**3], axis=1
    )
    basis = np.zeros((samples, points), np.float32)
    for offset in range(4):
        np.add.at(basis, (np.arange(samples), np.clip(start + offset - 1, 0, points - 1)), weights[:, offset])
    return basis


def _bend(curves: Floats, rng: np.random.Generator, hand: Hand) -> Floats:
    """Apply the slow wave, then stretch, slant and rotation."""
    n = len(curves)
    for _ in range(2):
        direction = rng.normal(0, 3.0, (n, 1, 2)).astype(np.float32)
        phase = rng.uniform(0, 2 * np.pi, (n, 1)).astype(np.float32)
        push = rng.normal(0, hand.wave, (n, 1, 2)).astype(np.float32)
        curves = curves + push * np.sin((curves * direction).sum(-1) + phase)[..., None]
    aspect = rng.uniform(*hand.aspect, n)
    slant = rng.normal(hand.lean, hand.slant, n)
    angle = rng.normal(0, hand.rotation, n)
    stretch = np.zeros((n, 2, 2))
    stretch[:, 0, 0], stretch[:, 0, 1], stretch[:, 1, 1] = aspect, -slant, 1.0
    turn = np.stack([np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)], -1).reshape(n, 2, 2)
    matrix: Floats = (turn @ stretch).astype(np.float32)
    bent: Floats = curves @ matrix.transpose(0, 2, 1)
    return bent


def _fit(curves: Floats, radius: Floats) -> Floats:
    """Scale to pixels: the ink's longer side is 20, and its box is in the middle of the image."""
    low, high = curves.min(1, keepdims=True), curves.max(1, keepdims=True)
    scale = (BOX - 2 * radius[:, None, None]) / (high - low).max(-1, keepdims=True)
    fitted: Floats = (curves - (low + high) / 2) * scale + np.float32((SIDE - 1) / 2)
    return fitted


def _pressure(n: int, rng: np.random.Generator, hand: Hand) -> Floats:
    """The ink of the pen along the curve, around 1, float32 [n, samples]."""
    along = np.linspace(0, 1, _SAMPLES)
    frequency, phase = rng.uniform(2, 9, (n, 1)), rng.uniform(0, 2 * np.pi, (n, 1))
    return (1 + hand.pressure * np.sin(frequency * along + phase)).astype(np.float32)


def _fray(n: int, rng: np.random.Generator, hand: Hand) -> Floats:
    """The shift of the ink's edge at each pixel, in pixels [n, side, side]; the amount varies between images."""
    noise = rng.standard_normal((n, SIDE + 1, SIDE + 1), np.float32)
    coarse = (noise[:, 1:, 1:] + noise[:, :-1, 1:] + noise[:, 1:, :-1] + noise[:, :-1, :-1]) / 2
    fine = rng.standard_normal((n, SIDE, SIDE), np.float32)
    rough, grain = (rng.uniform(0, most, (n, 1, 1)).astype(np.float32) for most in (hand.rough, hand.grain))
    fray: Floats = coarse * rough + fine * grain
    return fray


def _distance(curves: Floats, radius: Floats, pressure: Floats) -> Floats:
    """The distance of each pixel from curves [n, samples, 2], in pixels [n, side, side]; pressure reduces it.

    The ink at a pixel is a sum of Gaussians along the curve, which is separable and therefore a product of
    two small matrices. Next to a straight line it falls as exp(-d^2 / 2 sigma^2).
    """
    sigma = radius / np.sqrt(2 * np.log(2)).astype(np.float32)
    step = np.linalg.norm(np.gradient(curves, axis=1), axis=-1)
    step = np.minimum(step, 2.5)  # the jump from one stroke to the next leaves no ink
    weight = pressure * step / (sigma[:, None] * np.float32(np.sqrt(2 * np.pi)))
    pixels = np.arange(SIDE, dtype=np.float32)[:, None]
    narrow = -0.5 / sigma[:, None, None] ** 2
    across = np.exp((pixels - curves[:, None, :, 0]) ** 2 * narrow)
    down = np.exp((pixels - curves[:, None, :, 1]) ** 2 * narrow) * weight[:, None]
    profile = down @ across.transpose(0, 2, 1)
    distance: Floats = np.sqrt(-2 * np.log(np.clip(profile, 1e-6, 1 - 1e-6))) * sigma[:, None, None]
    return distance


def _ink(distance: Floats, radius: Floats, edge: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Full ink inside the pen's radius, fading over the width of the edge, centered by its mass; uint8."""
    inside = (radius[:, None, None] - distance) / edge[:, None, None].astype(np.float32)
    return (_center(np.clip(0.5 + inside, 0, 1)) * 255 + 0.5).astype(np.uint8)


def _center(gray: Floats) -> Floats:
    """Move each image by whole pixels to put its center of mass in the middle."""
    place = np.arange(SIDE, dtype=np.float32)
    mass = gray.sum((1, 2))
    middle = (SIDE - 1) / 2
    dy = np.rint(middle - (gray.sum(2) @ place) / mass).astype(int)
    dx = np.rint(middle - (gray.sum(1) @ place) / mass).astype(int)
    rows = np.arange(SIDE) - dy[:, None]
    columns = np.arange(SIDE) - dx[:, None]
    inside = ((rows >= 0) & (rows < SIDE))[:, :, None] & ((columns >= 0) & (columns < SIDE))[:, None, :]
    n = np.arange(len(gray))[:, None, None]
    moved = gray[n, rows.clip(0, SIDE - 1)[:, :, None], columns.clip(0, SIDE - 1)[:, None, :]]
    return np.where(inside, moved, np.float32(0))
