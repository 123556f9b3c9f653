"""A drawing as strokes: the points that a pen visited, and the picture of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from convnet_core.data.picture import Gray
from convnet_core.data.strokes import plain_digit
from convnet_core.errors import DataError
from convnet_core.language import _

SIDE = 280
"""Width and height of the paper, the unit of all coordinates."""

_MOST_POINTS = 20_000  # 60 seconds of fast scribbling; drawing them takes 0.1 s
_WIDTHS = (1.0, 60.0)
_EXAMPLE_WIDTH = 22


@dataclass(frozen=True)
class Stroke:
    """The path of a pen of one width; `points` are (x, y), at least one."""

    width: float
    points: tuple[tuple[float, float], ...]


def strokes_of(value: Any) -> tuple[Stroke, ...]:
    """The strokes that a browser sent as JSON: `[{"width": 18, "points": [x, y, x, y, …]}, …]`.

    Raises DataError if it is anything else, or has too many points.
    """
    try:
        strokes = tuple(_stroke(float(item["width"]), [float(number) for number in item["points"]]) for item in value)
    except (TypeError, KeyError, ValueError, OverflowError) as error:
        raise DataError(_("the drawing cannot be read"), hint=_("clear the pad and draw again")) from error
    if sum(len(stroke.points) for stroke in strokes) > _MOST_POINTS:
        raise DataError(_("the drawing has too many strokes"), hint=_("clear the pad and draw one digit"))
    return strokes


def _stroke(width: float, numbers: list[float]) -> Stroke:
    if not numbers or len(numbers) % 2 or not all(math.isfinite(number) for number in (width, *numbers)):
        raise ValueError
    x, y = ([min(max(number, 0.0), float(SIDE)) for number in numbers[axis::2]] for axis in (0, 1))
    return Stroke(min(max(width, _WIDTHS[0]), _WIDTHS[1]), tuple(zip(x, y, strict=True)))


def example(digit: int) -> list[dict[str, Any]]:
    """A drawing of a digit as a browser sends it: for those who cannot draw one."""
    size = np.array((0.45, 0.65)) * SIDE
    places = (np.rint(curve[::3] * size + SIDE / 2).astype(int) for curve in plain_digit(digit))
    return [{"width": _EXAMPLE_WIDTH, "points": points.ravel().tolist()} for points in places]


def render(strokes: tuple[Stroke, ...]) -> Gray:
    """The strokes with round ends and corners, black on white, float32 [280, 280] in [0, 1]."""
    picture = Image.new("L", (SIDE, SIDE), 255)
    pencil = ImageDraw.Draw(picture)
    for stroke in strokes:
        pencil.line(stroke.points, fill=0, width=round(stroke.width))
        for point in stroke.points:
            pencil.circle(point, stroke.width / 2, fill=0)
    return np.asarray(picture, np.float32) / np.float32(255)
