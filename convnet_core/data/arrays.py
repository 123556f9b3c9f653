"""What the arrays of a data set mean: images as uint8 [n, 28, 28] with ink bright, labels as uint8 [n] from 0 to 9.

People keep them in many ways. What can only mean one thing is read, and said in a note; of the rest an error says what
it looks like.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convnet_core.data.split import CLASSES, SIDE
from convnet_core.errors import DataError

_LUMA = np.array((0.299, 0.587, 0.114), np.float32)
"""Weights of red, green and blue in brightness (ITU-R BT.601), as Pillow takes them."""
_BLOCK = 5_000  # images that are converted together, so that no second array of all stands in memory


def are_images(array: NDArray[Any]) -> bool:
    """Whether an array can only be images, and no labels: three dimensions or more, or as many columns as pixels."""
    return array.ndim >= 3 or (array.ndim == 2 and array.shape[1] == SIDE * SIDE)


def images(array: NDArray[Any], name: str, notes: list[str]) -> NDArray[np.uint8]:
    """Images [n, 28, 28] of any type, flat [n, 784], with a channel [n, 28, 28, 1] or three, first or last.

    Floats are brightness from 0 to 1, or to 255. Raises DataError that begins with `name`.
    """
    if not are_images(array):
        raise DataError(f"{name}: holds {_said(array)}; images are {SIDE} × {SIDE} pixels each")
    if array.ndim == 2:
        array = array.reshape(-1, SIDE, SIDE)
        notes.append(f"{name}: rows of {SIDE * SIDE} pixels, read as {SIDE} × {SIDE}")
    if array.ndim == 4 and array.shape[1] in (1, 3):
        array = np.moveaxis(array, 1, -1)
    if array.ndim == 4 and array.shape[3] == 1:
        array = array[..., 0]
    if array.shape[1:] not in ((SIDE, SIDE), (SIDE, SIDE, 3)):
        sides = " × ".join(str(size) for size in array.shape[1:])
        raise DataError(
            f"{name}: its images are {sides}, not {SIDE} × {SIDE}", hint=f"scale them to {SIDE} × {SIDE} pixels first"
        )
    if array.ndim == 4:
        notes.append(f"{name}: in colour, read by their brightness")
    scale = _scale(array, name, notes)
    if array.dtype == np.uint8 and array.ndim == 3 and scale == 1:
        return array
    return _brightness(array, scale)


def _scale(array: NDArray[Any], name: str, notes: list[str]) -> float:
    """What takes the values to 0…255. Raises DataError where they are no brightness."""
    low, high = float(array.min(initial=0)), float(array.max(initial=0))
    if not (low >= 0 and high <= 255):  # NaN is neither
        raise DataError(
            f"{name}: pixels from {low:.3g} to {high:.3g}, where brightness is from 0 to 255, or from 0 to 1",
            hint="16-bit values: divide by 257" if 0 <= low < high <= 65_535 else "normalized: undo it, × std + mean",
        )
    if 0 < high <= 1:
        notes.append(f"{name}: pixels from 0 to 1, read as brightness")
        return 255.0
    if array.dtype.kind == "f":
        notes.append(f"{name}: floats, rounded to whole brightness from 0 to 255")
    return 1.0


def _brightness(array: NDArray[Any], scale: float) -> NDArray[np.uint8]:
    """Values times a scale, colour as brightness, rounded: uint8 [n, 28, 28]."""
    grey = np.empty((len(array), SIDE, SIDE), np.uint8)
    for start in range(0, len(array), _BLOCK):
        block = array[start : start + _BLOCK].astype(np.float32) * np.float32(scale)
        grey[start : start + _BLOCK] = np.rint(block @ _LUMA if block.ndim == 4 else block)
    return grey


def labels(array: NDArray[Any], name: str, notes: list[str]) -> NDArray[np.uint8]:
    """Labels [n] or [n, 1] of any type, one-hot [n, 10], or QMNIST's [n, 8], whose first column is the digit.

    Raises DataError that begins with `name`.
    """
    if array.ndim == 2 and array.shape[1] == CLASSES and _is_one_hot(array):
        notes.append(f"{name}: one-hot, the column of the 1 read as the digit")
        array = array.argmax(1)
    elif array.ndim == 2 and array.shape[1] == 8:
        notes.append(f"{name}: eight columns as QMNIST has them, the first read as the digit")
        array = array[:, 0]
    elif array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or array.dtype.kind not in "iuf":
        raise DataError(f"{name}: holds {_said(array)}; labels are one digit each, or ten columns of which one is 1")
    outside = ~((array >= 0) & (array < CLASSES) & (array == np.round(array)))
    if outside.any():
        raise _other_labels(array, int(outside.argmax()), name)
    return array.astype(np.uint8)


def _is_one_hot(array: NDArray[Any]) -> bool:
    return bool(((array == 0) | (array == 1)).all() and (array.sum(1) == 1).all())


def _other_labels(array: NDArray[Any], place: int, name: str) -> DataError:
    """What labels that are no digits look like."""
    said = f"{name}: label {array[place]} at position {place}; labels are 0 to 9"
    low, high = array.min(), array.max()
    if (low, high) == (1, CLASSES):
        return DataError(
            f"{name}: labels from 1 to 10: either the digit + 1, or with 10 for the digit 0 as MATLAB has it",
            hint="write them from 0 to 9",
        )
    if high >= CLASSES:
        return DataError(
            f"{said}, these go from {low} to {high}", hint="other classes than digits, as EMNIST's letters?"
        )
    return DataError(said)


def _said(array: NDArray[Any]) -> str:
    """An array's shape for a message."""
    return f"an array [{', '.join(f'{size}' for size in array.shape)}] of {array.dtype.newbyteorder('=')}"
