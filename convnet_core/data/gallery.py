"""Overviews of digits: contact sheets, mean images, counts. Uses only NumPy and Pillow."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convnet_core.common.files import write_atomic
from convnet_core.data.split import CLASSES, SIDE, Split
from convnet_core.errors import DataError
from convnet_core.language import _

Picture = NDArray[np.uint8]
_GAP = 2  # pixels between two images


def counts(split: Split) -> list[int]:
    """The number of images of each digit."""
    return [int(count) for count in np.bincount(split.labels, minlength=CLASSES)[:CLASSES]]


def mean_images(split: Split) -> Picture:
    """The mean image of each digit, uint8 [10, 28, 28]; black for a digit without images."""
    means = np.zeros((CLASSES, SIDE, SIDE), np.uint8)
    for digit in range(CLASSES):
        images = split.images[split.labels == digit]
        if len(images):
            means[digit] = images.mean(axis=0)
    return means


def samples(split: Split, each: int, seed: int = 0) -> list[Picture]:
    """Up to `each` random images of each digit, uint8 [n, 28, 28]."""
    rng = np.random.default_rng(seed)
    rows = []
    for digit in range(CLASSES):
        indices = np.flatnonzero(split.labels == digit)
        rows.append(split.images[rng.permutation(indices)[:each]])
    return rows


def sheet(rows: Sequence[Picture], *, enlarge: int = 2) -> Image.Image:
    """A contact sheet with dark ink on white: a row for each array uint8 [n, height, width], enlarged."""
    height, width = rows[0].shape[1:]
    columns = max(1, *(len(row) for row in rows))
    canvas = np.zeros((len(rows) * (height + _GAP), columns * (width + _GAP)), np.uint8)
    for line, row in enumerate(rows):
        for column, image in enumerate(row):
            top, left = line * (height + _GAP), column * (width + _GAP)
            canvas[top : top + height, left : left + width] = image
    picture = Image.fromarray(255 - canvas)
    return picture.resize((picture.width * enlarge, picture.height * enlarge), Image.Resampling.NEAREST)


def to_base64(pixels: Picture) -> str:
    """A PNG of pixels uint8 [height, width] or [height, width, channels], as base64."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def save(picture: Image.Image, path: Path) -> None:
    """Write a picture as PNG. Raises DataError if the file cannot be written."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    try:
        write_atomic(path, buffer.getvalue())
    except OSError as error:
        raise DataError(
            _("cannot write {path}: {reason}", path=path, reason=error.strerror),
            hint=_("choose a file in an existing folder"),
        ) from error
