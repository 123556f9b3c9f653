"""Find the ink on a picture, independent of the light, the color of the paper and lines printed on it.

A picture with a uniform background, such as a drawing pad's, is compared with that background. For other pictures, the
brightness of the paper is estimated around each pixel: a morphological closing (or an opening, for light ink) with a
square wider than a pen removes the ink and keeps gradients of light, the edges of shadows and a border around the
paper. Ink is measured as the fraction of the paper's light that it absorbs or adds, which does not depend on the light.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convnet_core.data import shapes
from convnet_core.data.picture import Gray

_SIDE = 320  # longer side of the copy to analyze, in pixels
_REACH = 0.15  # half the square's side over the picture's longer side; the square is wider than any pen
_DARKEST = np.float32(0.1)  # brightness below which ink and paper cannot be distinguished
_SHADE = 0.3  # the same relative to the brightest paper, since light may fall to a third
_FLAT, _NEAR = 2 / 255, 0.05  # variation of a uniform background, and of a border without ink
_LEAST = 0.05  # minimum ink, as a fraction of the paper's light
_FILLED = 0.6  # fraction of its box that a digit rarely fills
_MARGIN = 0.1  # fraction of each side where the paper may end
_INK_WEIGHT = 6  # weight of the mean ink relative to the variation of the paper
_SLOPE = 2  # of log brightness over a side: light that falls evenly to a third stays below it, an edge of ink does not
_TILT = 0.08  # maximum tilt of a printed line, over its length
_SPAN = 0.75  # fraction of a picture's side that a printed line covers
_THICK = 0.03  # maximum thickness of a printed line over its length; a stem from top to bottom is thicker


@dataclass(frozen=True)
class Ink:
    """`away` is each pixel's difference from the paper, float32 [height, width], 0 or more; noise is below `least`.

    `even` is true if the paper is uniform and has no lines, and `clean` if it has no grain either, as on a drawing pad.
    `away` is smaller than the picture by the factor `scale`.
    """

    away: Gray
    least: float
    even: bool
    clean: bool = False
    scale: int = 1


def ink(gray: Gray) -> Ink:
    """Find the ink on a picture [height, width] in [0, 1]."""
    border = np.concatenate([gray[0], gray[-1], gray[:, 0], gray[:, -1]])
    ground = np.median(border)
    away = np.abs(gray - ground)
    flat = np.abs(border - ground).max() <= _NEAR and np.count_nonzero(away <= _FLAT) * 2 >= away.size
    if flat and not (ground < 0.5 and _is_sheet(away)):
        return Ink(away, _LEAST, even=True, clean=np.count_nonzero(away) * 2 <= away.size)
    factor = -(-max(gray.shape) // _SIDE)
    small = np.asarray(Image.fromarray(gray).reduce(factor), np.float32)
    smooth = _smooth(_smooth(small).T).T if max(small.shape) > _SIDE // 2 else small
    level = _level(smooth)
    even = bool(np.ptp(level) <= _FLAT)  # such as when a stroke crosses the border
    away, least = (np.abs(small - np.median(level)), _LEAST) if even else _relative(smooth, level)
    unframed = shapes.without_frames(away, least)  # before lines, since the sides of a frame may be as long
    blank = _without_lines(_without_lines(unframed, least).T, least).T
    return Ink(blank, least, even=even and bool((blank == away).all()), scale=factor)


def _is_sheet(away: Gray) -> bool:
    """Whether the foreground fills its box, as a sheet of paper on a table does."""
    on = away > away.max() / 2
    rows, columns = on.any(1), on.any(0)
    return bool(on.any()) and float(on[rows][:, columns].mean()) > _FILLED


def _level(gray: Gray) -> Gray:
    """The brightness of the paper at each pixel."""
    reach = max(1, round(_REACH * max(gray.shape)))
    wide = np.pad(gray, 2 * reach, mode="edge")  # padding once for both steps keeps gradients intact
    closed = _extreme(_extreme(wide, reach, np.maximum), reach, np.minimum)
    opened = _extreme(_extreme(wide, reach, np.minimum), reach, np.maximum)
    return min(closed, opened, key=lambda level: _cost(_exposure(level), _exposure(gray)))


def _exposure(gray: Gray) -> Gray:
    """The logarithm of brightness, without the picture's margins. It makes a shadow's edge equal on any paper.

    The margins may show a table, whose contrast to the paper is irrelevant.
    """
    top, left = (round(_MARGIN * side) for side in gray.shape)
    return np.log(np.maximum(gray[top : gray.shape[0] - top, left : gray.shape[1] - left], _DARKEST))


def _relative(gray: Gray, level: Gray) -> tuple[Gray, float]:
    """Ink as a fraction of the paper's light, and the level above which it is not noise."""
    darkest = np.maximum(_DARKEST, _SHADE * np.quantile(level, 0.9))  # ignores noise on a dark table
    away = np.abs(gray - level) / np.maximum(level, np.float32(darkest))
    usual = np.median(away)
    noise = float(np.median(np.abs(away - usual))) * 1.4826  # standard deviation from the median deviation
    return (away - usual).clip(0), max(_LEAST, 5 * noise)


def _smooth(gray: Gray) -> Gray:
    """Blur vertically with weights 1, 2, 1: removes most of the noise and keeps lines connected."""
    padded = np.pad(gray, ((1, 1), (0, 0)), mode="edge")
    return (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / np.float32(4)


def _extreme(gray: Gray, reach: int, pick: Callable[..., Any]) -> Gray:
    """The maximum or minimum in the square of side 2 × reach + 1 around each pixel, without padding.

    The square grows to its size by doubling.
    """
    side, result = 2 * reach + 1, gray
    for _ in range(2):
        size = 1
        while size < side:
            step = min(size, side - size)
            result, size = pick(result[:-step], result[step:]), size + step
        result = result.T
    return result


def _cost(level: Gray, gray: Gray) -> float:
    """How unlikely a level is for paper: paper is uniform except for the light, and there is little ink.

    A wrong level includes the filled outline of the digit, or the spaces between the lines of ruled paper.
    """
    slope = _SLOPE / max(level.shape)
    variation = sum(float((np.abs(np.diff(level, axis=axis)) - slope).clip(0).sum()) for axis in (0, 1))
    return variation / math.sqrt(gray.size) + _INK_WEIGHT * float(np.abs(gray - level).mean())


def _without_lines(away: Gray, least: float) -> Gray:
    """Remove straight, nearly horizontal lines from side to side, except where ink crosses them.

    Removes a pixel of a line if the ink there is about as thick (vertically) and as dark as along the rest of the line,
    as in staff removal (C. Dalitz et al., "A comparative study of staff removal algorithms", 2008).
    """
    on = away > least / 2  # lines are faint
    lines = _lines(on)
    if not lines.any():
        return away
    rows = np.arange(len(on))[:, None]
    above = rows - np.maximum.accumulate(np.where(on, -1, rows), axis=0)
    below = np.minimum.accumulate(np.where(on, len(on), rows)[::-1], axis=0)[::-1] - rows
    thickness = np.where(on, above + below - 1, 0)
    max_thickness = min(1.5 * np.median(thickness[lines & on]) + 1, _THICK * away.shape[1])
    thin = lines & (thickness <= max_thickness)
    if not (thin & on).any():
        return away
    removed = thin & (away <= 1.25 * np.quantile(away[thin & on], 0.9))
    return np.where(removed, np.float32(0), away)


def _lines(on: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask of lines from side to side, with two pixels on each side of them."""
    height, width = on.shape
    columns = np.arange(0, width, max(1, width // 80))
    wide = on.copy()
    wide[1:] |= on[:-1]
    wide[:-1] |= on[1:]
    sparse = wide[:, columns]
    mask = np.zeros_like(on)
    max_drop = round(_TILT * width)
    across = np.linspace(-0.5, 0.5, width)
    for drop in range(-max_drop, max_drop + 1):
        offsets = np.rint(drop * across).astype(int)
        rows = np.arange(height)[:, None] + offsets[columns]
        inside = (rows >= 0) & (rows < height)
        hit = sparse[rows.clip(0, height - 1), np.arange(len(columns))] & inside
        full = inside.sum(1)
        (lines,) = np.nonzero((hit.sum(1) >= _SPAN * full) & (full >= len(columns) / 2))
        if len(lines):
            around = (lines[:, None] + np.arange(-2, 3)).ravel()
            rows = around[:, None] + offsets
            inside = (rows >= 0) & (rows < height)
            mask[rows[inside], np.broadcast_to(np.arange(width), rows.shape)[inside]] = True
    return mask
