"""Prepare a drawing or photograph of one digit for the networks. All callers use this code.

Find the ink (`paper`) of the single digit (`shapes`), adjust the pen to about its width in the training images, scale
the ink to 20 x 20 with antialiasing, move its center of mass to the middle of 28 x 28, and scale values to [0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from convnet_core.data import paper, shapes
from convnet_core.data.picture import Gray, read_image
from convnet_core.errors import DataError
from convnet_core.language import _

SIDE, BOX = 28, 20
_MIN_CONTRAST = 0.1  # of ink against paper, as a fraction of the full range
_WORK = 160  # longer side of the ink while the pen is adjusted, in pixels
_PEN = (2.0, 4.2)  # allowed width of the pen in the 20 x 20 box, in pixels; MNIST's middle 90 %


@dataclass(frozen=True)
class Box:
    """A part of a picture in pixels; `bottom` and `right` are exclusive."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left

    def scale(self, factor: int, shape: tuple[int, ...]) -> Box:
        """The same part of a picture of shape `shape`, which is larger by a factor."""
        height, width = shape
        sides = self.top * factor, self.left * factor, self.bottom * factor, self.right * factor
        return Box(sides[0], sides[1], min(sides[2], height), min(sides[3], width))

    def crop(self, gray: Gray) -> Gray:
        """The part of a picture inside the box, as a view."""
        return gray[self.top : self.bottom, self.left : self.right]


@dataclass(frozen=True)
class Steps:
    """The steps from a drawing to an image.

    `source_box` is the box of the ink in the drawing; `ink` is its content, bright on black, with the adjusted pen,
    float32 [height, width], longer side 160. `target_box` is the box of the ink in `image`, and `mass` its center of
    mass there (y, x). `image` is the result, float32 [28, 28] in [0, 1].
    """

    source_box: Box
    ink: Gray
    target_box: Box
    mass: tuple[float, float]
    image: Gray


def prepare(gray: Gray) -> Gray:
    """Convert a drawing [height, width] in [0, 1], dark on light or light on dark, to float32 [28, 28] in [0, 1].

    Raises DataError if there is no ink, or more than one digit.
    """
    return steps(gray).image


def prepare_file(path: Path) -> Gray:
    """`prepare` for an image file. Raises DataError, which names the file."""
    gray = read_image(path)
    try:
        return prepare(gray)
    except DataError as error:
        raise DataError(f"{path}: {error}", error.hint) from error


def steps(gray: Gray) -> Steps:
    """`prepare` with its intermediate results, for display. Raises DataError as `prepare` does."""
    ink, scale = _ink(gray)
    source = _box(ink)
    pen = _adjust_pen(_fit(source.crop(ink), _WORK))
    small = _fit(pen, BOX)
    small = small / small.max()
    mass = _center_of_mass(small)
    target = _place(small, mass)
    image = np.zeros((SIDE, SIDE), np.float32)
    target.crop(image)[:] = small
    return Steps(source.scale(scale, gray.shape), pen, target, (target.top + mass[0], target.left + mass[1]), image)


def _ink(gray: Gray) -> tuple[Gray, int]:
    """The digit's ink, bright on black with full contrast, and the factor by which it is smaller than the picture."""
    page = paper.ink(gray)
    ink = shapes.digit(page.away, page.least, photograph=not page.even, clean=page.clean)
    contrast = float(ink.max(initial=0.0))
    if contrast < _MIN_CONTRAST:
        raise DataError(_("no digit: there is no ink on the picture"), hint=_("draw a digit"))
    # Paper grain and JPEG ringing are faint compared to the ink: anything below a fifth of it is paper.
    sharp: Gray = np.clip((ink / contrast - 0.2) / 0.6, 0, 1)
    return sharp, page.scale


def _box(ink: Gray) -> Box:
    """The smallest box around the ink."""
    rows, columns = np.flatnonzero((ink > 0.3).any(1)), np.flatnonzero((ink > 0.3).any(0))
    return Box(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)


def _fit(ink: Gray, side: int) -> Gray:
    """Scale the longer side to `side`, with antialiasing."""
    height, width = ink.shape
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    resized = Image.fromarray(ink).resize(size, Image.Resampling.BILINEAR, reducing_gap=3.0)
    return np.asarray(resized, np.float32).clip(0, 1)


def _adjust_pen(ink: Gray) -> Gray:
    """Thicken or thin the lines until the pen's width is in the allowed range."""
    unit = _WORK / BOX
    padded = np.pad(ink, _WORK // 4)
    width = _pen_width(padded) / unit
    target_width = float(np.clip(width, *_PEN))
    reach = round(abs(target_width - width) / 2 * unit)
    if reach == 0:
        return ink
    image = Image.fromarray((padded * 255).astype(np.uint8))
    grow = width < target_width
    for _step in range(reach):
        image = image.filter(ImageFilter.MaxFilter(3) if grow else ImageFilter.MinFilter(3))
    adjusted = np.asarray(image, np.float32) / np.float32(255)
    return _box(adjusted).crop(adjusted) if (adjusted > 0.3).any() else ink


def _pen_width(ink: Gray) -> float:
    """The mean width of the lines in pixels: twice the area, over the area that one erosion step removes."""
    binary = Image.fromarray(((ink > 0.5) * 255).astype(np.uint8))
    area = int(np.count_nonzero(np.asarray(binary)))
    eroded = int(np.count_nonzero(np.asarray(binary.filter(ImageFilter.MinFilter(3)))))
    return 2 * area / max(1, area - eroded)


def _center_of_mass(small: Gray) -> tuple[float, float]:
    """(y, x) in pixels."""
    height, width = small.shape
    mass = small.sum()
    return float(small.sum(1) @ np.arange(height)) / mass, float(small.sum(0) @ np.arange(width)) / mass


def _place(small: Gray, mass: tuple[float, float]) -> Box:
    """The box of the ink on 28 x 28, moved by whole pixels to put the center of mass in the middle."""
    height, width = small.shape
    middle = (SIDE - 1) / 2
    top = int(np.clip(round(middle - mass[0]), 0, SIDE - height))
    left = int(np.clip(round(middle - mass[1]), 0, SIDE - width))
    return Box(top, left, top + height, left + width)
