"""An image file as brightness, float32 [height, width] in [0, 1]."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

from convnet_core.errors import DataError

_FAINTEST = 0.1  # least contrast of ink against transparent paper, of the full range
_COLOURED = 1.5  # times the contrast in brightness, from which one colour shows the ink
_SMALL = 96  # longer side of the copy on which contrast is measured, in pixels
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
    """Brightness in [0, 1], or one colour's where ink stands out in that alone, as red does on equally bright green.

    What is transparent is taken for paper, white unless the ink is white.
    """
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        with_alpha = image.convert("RGBA")
        for paper in ("white", "black"):
            ground = Image.new("RGBA", image.size, paper)
            ground.alpha_composite(with_alpha)
            grey = _grey(ground.convert("RGB"))
            if np.ptp(grey) >= _FAINTEST:
                break
        return grey
    if image.mode.startswith("I"):  # 16 bit
        deep = np.asarray(image, np.float32)
        return deep / np.float32(max(1.0, deep.max()))
    return _grey(image)


def _grey(image: Image.Image) -> Grey:
    """The brightness; of a coloured image red, green or blue where that has much more contrast."""
    grey = image.convert("L")
    if image.mode not in ("1", "L"):
        colour = max(image.convert("RGB").split(), key=_contrast)
        if _contrast(colour) > _COLOURED * _contrast(grey):
            grey = colour
    return np.asarray(grey, np.float32) / np.float32(255)


def _contrast(image: Image.Image) -> float:
    """How far ink stands out: the greatest differences from what is around it, on a small copy without noise."""
    small = image.reduce(max(1, max(image.size) // _SMALL))
    around = np.asarray(small.filter(ImageFilter.BoxBlur(max(small.size) / 8)), np.float32)
    return float(np.quantile(np.abs(np.asarray(small, np.float32) - around), 0.999))
