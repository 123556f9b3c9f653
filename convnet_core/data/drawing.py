"""A drawing or a photograph of one digit, as the networks want it: the one definition for all.

Find the ink, make the pen about as wide as in the training images, scale the ink to the 20 x 20
box with antialiasing, move its centre of mass to the middle of 28 x 28, scale to [0, 1].
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

from convnet_core.errors import DataError

SIDE, BOX = 28, 20
_FAINTEST = 0.1  # least contrast of ink against paper, of the full range
_WORK = 160  # longer side of the ink while the pen is adjusted, in pixels
_PEN = (2.0, 4.2)  # allowed width of the pen in the 20 x 20 box, in pixels; MNIST's middle 90 %
_MOST_PIXELS = 50_000_000  # so that what Pillow warns of, from 89 million on, is refused
_LARGE_SIDE = 1500  # pixels; beyond twice that an image is made smaller first
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")  # Pillow knows more, and one of them starts another program

warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # once for all: `catch_warnings` is not for threads

Grey = NDArray[np.float32]


def read_image(path: Path) -> Grey:
    """An image file as brightness, float32 [height, width] in [0, 1]. Raises DataError."""
    return _read(path, path)


def from_bytes(content: bytes, name: str) -> Grey:
    """The same of an image file's content; an error calls it by this name."""
    return _read(io.BytesIO(content), name)


def _read(source: Path | io.BytesIO, name: object) -> Grey:
    try:
        with Image.open(source, formats=_FORMATS) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise DataError(f"{name}: {image.width} × {image.height} pixels are too many")
            image.draft(None, (_LARGE_SIDE, _LARGE_SIDE))  # a JPEG is decoded small at once
            image.load()
            return brightness(ImageOps.exif_transpose(_smaller(image)))  # a phone writes down how it was held
    except FileNotFoundError as error:
        raise DataError(f"{name}: no such file") from error
    except Image.DecompressionBombError as error:
        raise DataError(f"{name}: far too many pixels") from error
    except (OSError, ValueError, SyntaxError) as error:  # Pillow raises SyntaxError on some damaged files
        raise DataError(f"{name}: cannot be read as an image") from error


def _smaller(image: Image.Image) -> Image.Image:
    """A large image by a whole factor smaller: each step on the way to 28 x 28 takes several times its memory."""
    factor = max(image.size) // _LARGE_SIDE
    if factor < 2:
        return image
    if image.mode.startswith("I"):
        return image.resize((max(1, image.width // factor), max(1, image.height // factor)), Image.Resampling.NEAREST)
    if image.mode in ("1", "P", "PA"):
        image = image.convert("RGBA" if image.mode == "PA" or "transparency" in image.info else "RGB")
    return image.reduce(factor)


def brightness(image: Image.Image) -> Grey:
    """Brightness in [0, 1]; what is transparent is taken for paper, white unless the ink is white."""
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        with_alpha = image.convert("RGBA")
        for paper in ("white", "black"):
            ground = Image.new("RGBA", image.size, paper)
            ground.alpha_composite(with_alpha)
            grey = _grey(ground)
            if np.ptp(grey) >= _FAINTEST:
                break
        return grey
    if image.mode.startswith("I"):  # 16 bit
        deep = np.asarray(image, np.float32)
        return deep / np.float32(max(1.0, deep.max()))
    return _grey(image)


def _grey(image: Image.Image) -> Grey:
    return np.asarray(image.convert("L"), np.float32) / np.float32(255)


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

    Raises DataError where there is no ink.
    """
    return steps(grey).image


def steps(grey: Grey) -> Steps:
    """The same with what was done on the way, for a picture of it. Raises DataError where there is no ink."""
    ink = _ink(grey)
    found = _box(ink)
    pen = _with_usual_pen(_fitted(found.of(ink), _WORK))
    small = _fitted(pen, BOX)
    small = small / small.max()
    mass = _centre_of_mass(small)
    placed = _placed(small, mass)
    image = np.zeros((SIDE, SIDE), np.float32)
    placed.of(image)[:] = small
    return Steps(found, pen, placed, (placed.top + mass[0], placed.left + mass[1]), image)


def _ink(grey: Grey) -> Grey:
    """Ink bright on black, full contrast. The paper is what the border shows."""
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    ink = np.abs(grey - np.median(border))
    contrast = float(ink.max(initial=0.0))
    if contrast < _FAINTEST:
        raise DataError("the image is empty: there is no ink on it", hint="draw a digit")
    # Grain of paper and JPEG's ringing are faint beside the ink: below a fifth is paper.
    sharp: Grey = np.clip((ink / contrast - 0.2) / 0.6, 0, 1)
    return sharp


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
    changed = _grey(image)
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
