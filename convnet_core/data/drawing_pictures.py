"""Pictures of the steps that prepare a drawing, and of a network's feature maps. Uses only NumPy and Pillow."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from convnet_core.data.drawing import SIDE, Box, Steps
from convnet_core.data.picture import Gray

_BOX, _MASS = "#D55E00", "#56B4E9"  # two of Okabe and Ito's colors
_GAP = 2  # pixels between two maps
_GAP_GRAY = 96
_MOST_COLUMNS = 8


def show_box(drawing: Gray, box: Box, side: int) -> Image.Image:
    """A drawing [height, width] in [0, 1], scaled to `side` pixels, with a frame around its ink."""
    height, width = drawing.shape
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    picture = _gray(drawing).resize(size, Image.Resampling.BILINEAR, reducing_gap=3.0).convert("RGB")
    _frame(picture, box, scale)
    return picture


def show_centering(steps: Steps, side: int) -> Image.Image:
    """The ink with a frame on 28 x 28, a cross in the middle, and a dot at the center of mass."""
    scale = side // SIDE
    picture = Image.new("L", (SIDE * scale, SIDE * scale))
    box = steps.target_box
    ink = _gray(steps.ink).resize((box.width * scale, box.height * scale), Image.Resampling.BILINEAR)
    picture.paste(ink, (box.left * scale, box.top * scale))
    colored = picture.convert("RGB")
    _frame(colored, box, scale)
    draw = ImageDraw.Draw(colored)
    middle = colored.width // 2
    draw.line([(middle, 0), (middle, colored.height)], fill="#808080")
    draw.line([(0, middle), (colored.width, middle)], fill="#808080")
    y, x = ((place + 0.5) * scale for place in steps.mass)
    radius = max(2, scale // 2)
    draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=_MASS)
    return colored


def enlarge(image: Gray, side: int) -> Image.Image:
    """An image [height, width] in [0, 1], enlarged to visible square pixels, at most `side` wide and high."""
    factor = max(1, side // max(image.shape))
    picture = _gray(image)
    return picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)


def feature_grid(maps: NDArray[np.float32], *, side: int = 84) -> Image.Image:
    """Feature maps [channels, height, width] in rows of eight, each about `side` wide; brighter means stronger.

    All maps share one scale, from the lowest to the highest value; the square root makes faint maps visible.
    """
    channels, height, width = maps.shape
    low, high = float(maps.min()), float(maps.max())
    levels = (np.sqrt((maps - low) / (high - low or 1.0)) * 255).astype(np.uint8)
    factor = max(1, side // max(height, width))
    levels = levels.repeat(factor, axis=1).repeat(factor, axis=2)
    columns = min(channels, _MOST_COLUMNS)
    rows = math.ceil(channels / columns)
    step_y, step_x = height * factor + _GAP, width * factor + _GAP
    canvas = np.full((rows * step_y - _GAP, columns * step_x - _GAP), _GAP_GRAY, np.uint8)
    for index, level in enumerate(levels):
        top, left = index // columns * step_y, index % columns * step_x
        canvas[top : top + height * factor, left : left + width * factor] = level
    return Image.fromarray(canvas)


def stack(pictures: list[Image.Image]) -> Image.Image:
    """Stack grayscale pictures vertically."""
    gap = 4 * _GAP
    size = (max(picture.width for picture in pictures), sum(picture.height + gap for picture in pictures) - gap)
    canvas = Image.new("L", size, _GAP_GRAY)
    top = 0
    for picture in pictures:
        canvas.paste(picture, (0, top))
        top += picture.height + gap
    return canvas


def _gray(image: Gray) -> Image.Image:
    return Image.fromarray(np.rint(image * 255).astype(np.uint8))


def _frame(picture: Image.Image, box: Box, scale: float) -> None:
    corners = [box.left * scale, box.top * scale, box.right * scale - 1, box.bottom * scale - 1]
    ImageDraw.Draw(picture).rectangle(corners, outline=_BOX, width=2)
