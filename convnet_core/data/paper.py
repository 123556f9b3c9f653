"""The ink on a picture, whatever the light, the colour of the paper and the lines printed on it.

A picture with one flat ground, as a pad sends it, is compared with that ground. On any other the paper's level is taken
from around each pixel: a morphological closing (for light ink an opening) by a square wider than a pen takes the ink
away and keeps gradients of light, the edges of shadows and a border around the paper. Ink is the share of the paper's
light that it takes or adds, which is the same in bright light and in shadow.
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
from convnet_core.data.picture import Grey

_SIDE = 320  # longer side on which paper and lines are looked for, in pixels
_REACH = 0.15  # half of the square's side against the picture's longer one: wider than any pen
_DARKEST = np.float32(0.1)  # level below which light is not told from none
_SHADE = 0.3  # the same against the brightest paper's: light falls to a third
_FLAT, _NEAR = 2 / 255, 0.05  # how far a flat ground strays; how far the border does where no ink is on it
_LEAST = 0.05  # ink, as a share of the paper's light
_FILLED = 0.6  # share of its box that a digit rarely fills
_MARGIN = 0.1  # of each side, where the paper may end
_INK_WEIGHT = 6  # of the mean ink of a picture, beside the changes of its paper over its side
_SLOPE = 2  # of the logarithm of brightness over a side: light that falls evenly to a third has no more, ink's edge has
_TILT = 0.08  # of a line, over its length
_SPAN = 0.75  # share of a picture's side that a printed line covers
_THICK = 0.03  # of a printed line, over its length; a stem from top to bottom is thicker


@dataclass(frozen=True)
class Ink:
    """How much each pixel stands out from the paper, float32 [height, width] from 0 on; `least` is more than noise.

    `even` tells whether the paper is flat, without lines; `away` is smaller than the picture by the factor `scale`.
    """

    away: Grey
    least: float
    even: bool
    scale: int = 1


def ink(grey: Grey) -> Ink:
    """The ink on a picture [height, width] in [0, 1]."""
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    ground = np.median(border)
    away = np.abs(grey - ground)
    flat = np.abs(border - ground).max() <= _NEAR and np.count_nonzero(away <= _FLAT) * 2 >= away.size
    if flat and not (ground < 0.5 and _is_sheet(away)):
        return Ink(away, _LEAST, even=True)
    factor = -(-max(grey.shape) // _SIDE)
    small = np.asarray(Image.fromarray(grey).reduce(factor), np.float32)
    smooth = _smooth(_smooth(small).T).T if max(small.shape) > _SIDE // 2 else small
    level = _level(smooth)
    even = bool(np.ptp(level) <= _FLAT)  # as where a stroke goes over the border
    away, least = (np.abs(small - np.median(level)), _LEAST) if even else _relative(smooth, level)
    unframed = shapes.without_frames(away, least)  # first, as the sides of a frame may be as long as lines
    blank = _without_lines(_without_lines(unframed, least).T, least).T
    return Ink(blank, least, even=even and bool((blank == away).all()), scale=factor)


def _is_sheet(away: Grey) -> bool:
    """Whether what stands out fills its box, as a sheet of paper on a table does."""
    on = away > away.max() / 2
    rows, columns = on.any(1), on.any(0)
    return bool(on.any()) and float(on[rows][:, columns].mean()) > _FILLED


def _level(grey: Grey) -> Grey:
    """How bright paper is at each pixel."""
    reach = max(1, round(_REACH * max(grey.shape)))
    wide = np.pad(grey, 2 * reach, mode="edge")  # once for both steps: so a gradient comes to no edge
    closed = _extreme(_extreme(wide, reach, np.maximum), reach, np.minimum)
    opened = _extreme(_extreme(wide, reach, np.minimum), reach, np.maximum)
    return min(closed, opened, key=lambda level: _strangeness(_exposure(level), _exposure(grey)))


def _exposure(grey: Grey) -> Grey:
    """The logarithm of brightness, in which a shadow's edge weighs the same on any paper, without the picture's sides.

    At the sides a table may show, whose contrast to the paper says nothing of the ink.
    """
    top, left = (round(_MARGIN * side) for side in grey.shape)
    return np.log(np.maximum(grey[top : grey.shape[0] - top, left : grey.shape[1] - left], _DARKEST))


def _relative(grey: Grey, level: Grey) -> tuple[Grey, float]:
    """Ink as a share of the paper's light, and the least that is no noise."""
    darkest = np.maximum(_DARKEST, _SHADE * np.quantile(level, 0.9))  # on a table beside the paper noise is no ink
    away = np.abs(grey - level) / np.maximum(level, np.float32(darkest))
    usual = np.median(away)
    noise = float(np.median(np.abs(away - usual))) * 1.4826  # standard deviation from the median deviation
    return (away - usual).clip(0), max(_LEAST, 5 * noise)


def _smooth(grey: Grey) -> Grey:
    """Each pixel with half of its neighbours above and below: without most of the noise, and lines stay whole."""
    padded = np.pad(grey, ((1, 1), (0, 0)), mode="edge")
    return (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / np.float32(4)


def _extreme(grey: Grey, reach: int, pick: Callable[..., Any]) -> Grey:
    """The greatest or least value in the square of side 2 × reach + 1 around each pixel that has it all.

    The square grows to its size in steps that double it.
    """
    wanted, found = 2 * reach + 1, grey
    for _ in range(2):
        size = 1
        while size < wanted:
            step = min(size, wanted - size)
            found, size = pick(found[:-step], found[step:]), size + step
        found = found.T
    return found


def _strangeness(level: Grey, grey: Grey) -> float:
    """How little a level is that of paper: paper is even but for the light, and there is little ink.

    A wrong level has the filled outline of the digit in it, or lies between the lines of ruled paper.
    """
    slope = _SLOPE / max(level.shape)
    variation = sum(float((np.abs(np.diff(level, axis=axis)) - slope).clip(0).sum()) for axis in (0, 1))
    return variation / math.sqrt(grey.size) + _INK_WEIGHT * float(np.abs(grey - level).mean())


def _without_lines(away: Grey, least: float) -> Grey:
    """Without straight lines from the left side to the right, about level, where nothing else crosses them.

    A pixel of a line goes where the ink is about as thick, from top to bottom, and as dark as along the rest of it: so
    staves are taken from scanned music (C. Dalitz et al., "A comparative study of staff removal algorithms", 2008).
    """
    on = away > least / 2  # lines are faint
    lines = _lines(on)
    if not lines.any():
        return away
    rows = np.arange(len(on))[:, None]
    above = rows - np.maximum.accumulate(np.where(on, -1, rows), axis=0)
    below = np.minimum.accumulate(np.where(on, len(on), rows)[::-1], axis=0)[::-1] - rows
    thickness = np.where(on, above + below - 1, 0)
    usual = min(1.5 * np.median(thickness[lines & on]) + 1, _THICK * away.shape[1])
    thin = lines & (thickness <= usual)
    if not (thin & on).any():
        return away
    gone = thin & (away <= 1.25 * np.quantile(away[thin & on], 0.9))
    return np.where(gone, np.float32(0), away)


def _lines(on: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where lines from side to side run, and two pixels beside them."""
    height, width = on.shape
    columns = np.arange(0, width, max(1, width // 80))
    wide = on.copy()
    wide[1:] |= on[:-1]
    wide[:-1] |= on[1:]
    sparse = wide[:, columns]
    found = np.zeros_like(on)
    most = round(_TILT * width)
    across = np.linspace(-0.5, 0.5, width)
    for drop in range(-most, most + 1):
        offsets = np.rint(drop * across).astype(int)
        places = np.arange(height)[:, None] + offsets[columns]
        inside = (places >= 0) & (places < height)
        hit = sparse[places.clip(0, height - 1), np.arange(len(columns))] & inside
        full = inside.sum(1)
        (lines,) = np.nonzero((hit.sum(1) >= _SPAN * full) & (full >= len(columns) / 2))
        if len(lines):
            around = (lines[:, None] + np.arange(-2, 3)).ravel()
            places = around[:, None] + offsets
            kept = (places >= 0) & (places < height)
            found[places[kept], np.broadcast_to(np.arange(width), places.shape)[kept]] = True
    return found
