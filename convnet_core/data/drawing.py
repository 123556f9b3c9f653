"""A drawing or a photograph of one digit, as the networks want it: the one definition for all.

Find the ink (`paper`) of the one digit (`shapes`), make the pen about as wide as in the training images, scale the ink
to the 20 x 20 box with antialiasing, move its centre of mass to the middle of 28 x 28, scale to [0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from convnet_core.data import paper, shapes
from convnet_core.data.picture import Grey, read_image
from convnet_core.errors import DataError

SIDE, BOX = 28, 20
_FAINTEST = 0.1  # least contrast of ink against paper, of the full range
_WORK = 160  # longer side of the ink while the pen is adjusted, in pixels
_PEN = (2.0, 4.2)  # allowed width of the pen in the 20 x 20 box, in pixels; MNIST's middle 90 %


@dataclass(frozen=True)
class Box:
    """A part of a picture in pixels; `bottom` and `right` are just outside."""

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

    def scaled(self, factor: int, shape: tuple[int, ...]) -> Box:
        """The same part of a picture of `shape` that is larger by a factor."""
        height, width = shape
        sides = self.top * factor, self.left * factor, self.bottom * factor, self.right * factor
        return Box(sides[0], sides[1], min(sides[2], height), min(sides[3], width))

    def of(self, grey: Grey) -> Grey:
        """What lies in the box."""
        return grey[self.top : self.bottom, self.left : self.right]


@dataclass(frozen=True)
class Steps:
    """How a drawing became an image.

    `found` is where the ink lies in the drawing; `ink` is that part, bright on black, with the usual pen,
    float32 [height, width], its longer side 160. `placed` is where the ink lies in `image`, and `mass` its
    centre of mass there (y, x); `image` is the result, float32 [28, 28] in [0, 1].
    """

    found: Box
    ink: Grey
    placed: Box
    mass: tuple[float, float]
    image: Grey


def prepare(grey: Grey) -> Grey:
    """A drawing [height, width] in [0, 1], dark on light or light on dark, as float32 [28, 28] in [0, 1].

    Raises DataError where there is no ink, and where there are several digits.
    """
    return steps(grey).image


def prepare_file(path: Path) -> Grey:
    """The same of an image file. Raises DataError that names it."""
    grey = read_image(path)
    try:
        return prepare(grey)
    except DataError as error:
        raise DataError(f"{path}: {error}", error.hint) from error


def steps(grey: Grey) -> Steps:
    """The same with what was done on the way, for a picture of it. Raises DataError as `prepare` does."""
    ink, scale = _ink(grey)
    found = _box(ink)
    pen = _with_usual_pen(_fitted(found.of(ink), _WORK))
    small = _fitted(pen, BOX)
    small = small / small.max()
    mass = _centre_of_mass(small)
    placed = _placed(small, mass)
    image = np.zeros((SIDE, SIDE), np.float32)
    placed.of(image)[:] = small
    return Steps(found.scaled(scale, grey.shape), pen, placed, (placed.top + mass[0], placed.left + mass[1]), image)


def _ink(grey: Grey) -> tuple[Grey, int]:
    """The digit's ink bright on black, full contrast, and by what factor it is smaller than the picture."""
    found = paper.ink(grey)
    ink = shapes.digit(found.away, found.least, photograph=not found.even)
    contrast = float(ink.max(initial=0.0))
    if contrast < _FAINTEST:
        raise DataError("no digit: there is no ink on the picture", hint="draw a digit")
    # Grain of paper and JPEG's ringing are faint beside the ink: below a fifth is paper.
    sharp: Grey = np.clip((ink / contrast - 0.2) / 0.6, 0, 1)
    return sharp, found.scale


def _box(ink: Grey) -> Box:
    """The smallest box around the ink."""
    rows, columns = np.flatnonzero((ink > 0.3).any(1)), np.flatnonzero((ink > 0.3).any(0))
    return Box(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)


def _fitted(ink: Grey, side: int) -> Grey:
    """Scaled so that the longer side is `side`; antialiased."""
    height, width = ink.shape
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    resized = Image.fromarray(ink).resize(size, Image.Resampling.BILINEAR, reducing_gap=3.0)
    return np.asarray(resized, np.float32).clip(0, 1)


def _with_usual_pen(ink: Grey) -> Grey:
    """Thicken thin lines and thin thick ones until the pen suits the 20 x 20 box."""
    unit = _WORK / BOX
    padded = np.pad(ink, _WORK // 4)
    width = _pen_width(padded) / unit
    wanted = float(np.clip(width, *_PEN))
    reach = round(abs(wanted - width) / 2 * unit)
    if reach == 0:
        return ink
    image = Image.fromarray((padded * 255).astype(np.uint8))
    grow = width < wanted
    for _ in range(reach):  # a cross and a square in turn: nearly a disc
        image = image.filter(ImageFilter.MaxFilter(3) if grow else ImageFilter.MinFilter(3))
    changed = np.asarray(image, np.float32) / np.float32(255)
    return _box(changed).of(changed) if (changed > 0.3).any() else ink


def _pen_width(ink: Grey) -> float:
    """Mean width of the lines in pixels: twice the area over what one step of erosion takes away."""
    binary = Image.fromarray(((ink > 0.5) * 255).astype(np.uint8))
    area = int(np.count_nonzero(np.asarray(binary)))
    left = int(np.count_nonzero(np.asarray(binary.filter(ImageFilter.MinFilter(3)))))
    return 2 * area / max(1, area - left)


def _centre_of_mass(small: Grey) -> tuple[float, float]:
    """(y, x) in pixels."""
    height, width = small.shape
    mass = small.sum()
    return float(small.sum(1) @ np.arange(height)) / mass, float(small.sum(0) @ np.arange(width)) / mass


def _placed(small: Grey, mass: tuple[float, float]) -> Box:
    """Where it lies on 28 x 28: moved by whole pixels so that the centre of mass comes to the middle."""
    height, width = small.shape
    middle = (SIDE - 1) / 2
    top = int(np.clip(round(middle - mass[0]), 0, SIDE - height))
    left = int(np.clip(round(middle - mass[1]), 0, SIDE - width))
    return Box(top, left, top + height, left + width)
