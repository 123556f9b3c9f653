"""Read an image file as brightness, float32 [height, width] in [0, 1]."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

from convnet_core.errors import DataError
from convnet_core.language import _

_MIN_CONTRAST = 0.1  # of ink against transparent paper, as a fraction of the full range
_COLOR_RATIO = 1.5  # use a single color channel if its contrast is this many times that of the brightness
_SMALL = 96  # longer side of the copy that contrast is measured on, in pixels
_MAX_PIXELS = 50_000_000  # below the 89 million from which Pillow warns
_LARGE_SIDE = 1500  # pixels; an image of twice that or more is reduced first
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")  # Pillow supports more, one of which starts another program

warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # globally, since `catch_warnings` is not thread-safe

Gray = NDArray[np.float32]


def read_image(path: Path) -> Gray:
    """An image file as brightness, float32 [height, width] in [0, 1]. Raises DataError."""
    return _read(path, path)


def from_bytes(content: bytes, name: str) -> Gray:
    """`read_image` for the content of an image file; `name` is used in errors."""
    return _read(io.BytesIO(content), name)


def _read(source: Path | io.BytesIO, name: object) -> Gray:
    try:
        with Image.open(source, formats=_FORMATS) as image:
            if image.width * image.height > _MAX_PIXELS:
                raise DataError(
                    _(
                        "{name}: {width} × {height} is too many pixels",
                        name=name,
                        width=image.width,
                        height=image.height,
                    )
                )
            image.draft(None, (_LARGE_SIDE, _LARGE_SIDE))  # decodes a JPEG at a reduced size
            image.load()
            return brightness(ImageOps.exif_transpose(_reduce(image)))  # phones record the orientation
    except FileNotFoundError as error:
        raise DataError(_("{name}: no such file", name=name)) from error
    except Image.DecompressionBombError as error:
        raise DataError(_("{name}: too many pixels", name=name)) from error
    except (OSError, ValueError, SyntaxError) as error:  # Pillow raises SyntaxError on some damaged files
        raise DataError(_("{name}: cannot be read as an image", name=name)) from error


def _reduce(image: Image.Image) -> Image.Image:
    """Reduce a large image by an integer factor, since preparing it takes several times its memory."""
    factor = max(image.size) // _LARGE_SIDE
    if factor < 2:
        return image
    if image.mode.startswith("I"):
        return image.resize((max(1, image.width // factor), max(1, image.height // factor)), Image.Resampling.NEAREST)
    if image.mode in ("1", "P", "PA"):
        image = image.convert("RGBA" if image.mode == "PA" or "transparency" in image.info else "RGB")
    return image.reduce(factor)


def brightness(image: Image.Image) -> Gray:
    """Brightness in [0, 1], or a single color channel if only that shows the ink, such as red on equally bright green.

    Transparent pixels count as paper: white, or black if the ink is white.
    """
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        with_alpha = image.convert("RGBA")
        for paper in ("white", "black"):
            ground = Image.new("RGBA", image.size, paper)
            ground.alpha_composite(with_alpha)
            gray = _gray(ground.convert("RGB"))
            if np.ptp(gray) >= _MIN_CONTRAST:
                break
        return gray
    if image.mode.startswith("I"):  # 16 bit
        deep = np.asarray(image, np.float32)
        return deep / np.float32(max(1.0, deep.max()))
    return _gray(image)


def _gray(image: Image.Image) -> Gray:
    """The brightness, or the red, green or blue channel if that has much more contrast."""
    gray = image.convert("L")
    if image.mode not in ("1", "L"):
        color = max(image.convert("RGB").split(), key=_contrast)
        if _contrast(color) > _COLOR_RATIO * _contrast(gray):
            gray = color
    return np.asarray(gray, np.float32) / np.float32(255)


def _contrast(image: Image.Image) -> float:
    """The contrast of the ink: the largest differences from the surroundings, on a small copy without noise."""
    small = image.reduce(max(1, max(image.size) // _SMALL))
    around = np.asarray(small.filter(ImageFilter.BoxBlur(max(small.size) / 8)), np.float32)
    return float(np.quantile(np.abs(np.asarray(small, np.float32) - around), 0.999))
