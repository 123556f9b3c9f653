"""Convert arrays of many formats to images uint8 [n, 28, 28] with bright ink, and labels uint8 [n] from 0 to 9.

Unambiguous formats are converted, with a note for the user. Anything else is a DataError that describes the array.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convnet_core.data.split import CLASSES, SIDE
from convnet_core.errors import DataError
from convnet_core.language import _

_LUMA = np.array((0.299, 0.587, 0.114), np.float32)
"""Weights of red, green and blue in brightness (ITU-R BT.601), the same as in Pillow."""
_BLOCK = 5_000  # images to convert at a time, to avoid a second array of all images


def are_images(array: NDArray[Any]) -> bool:
    """Whether an array is images rather than labels: it has three or more dimensions, or a column per pixel."""
    return array.ndim >= 3 or (array.ndim == 2 and array.shape[1] == SIDE * SIDE)


def images(array: NDArray[Any], name: str, notes: list[str]) -> NDArray[np.uint8]:
    """Convert images [n, 28, 28] of any dtype, flat [n, 784], or with one or three channels, first or last.

    Values are brightness from 0 to 255, or from 0 to 1. Raises DataError, which begins with `name`.
    """
    if not are_images(array):
        raise DataError(
            _("{name}: is {what}; images must have {side} × {side} pixels", name=name, what=_describe(array), side=SIDE)
        )
    if array.ndim == 2:
        array = array.reshape(-1, SIDE, SIDE)
        notes.append(
            _("{name}: rows of {count} pixels, read as {side} × {side}", name=name, count=SIDE * SIDE, side=SIDE)
        )
    if array.ndim == 4 and array.shape[1] in (1, 3):
        array = np.moveaxis(array, 1, -1)
    if array.ndim == 4 and array.shape[3] == 1:
        array = array[..., 0]
    if array.shape[1:] not in ((SIDE, SIDE), (SIDE, SIDE, 3)):
        sides = " × ".join(str(size) for size in array.shape[1:])
        raise DataError(
            _("{name}: its images are {sides}, not {side} × {side}", name=name, sides=sides, side=SIDE),
            hint=_("scale them to {side} × {side} pixels first", side=SIDE),
        )
    if array.ndim == 4:
        notes.append(_("{name}: color images, converted to brightness", name=name))
    scale = _scale(array, name, notes)
    if array.dtype == np.uint8 and array.ndim == 3 and scale == 1:
        return array
    return _brightness(array, scale)


def _scale(array: NDArray[Any], name: str, notes: list[str]) -> float:
    """The factor that scales the values to 0…255. Raises DataError if they are not brightness."""
    low, high = float(array.min(initial=0)), float(array.max(initial=0))
    if not (low >= 0 and high <= 255):  # NaN is neither
        raise DataError(
            _(
                "{name}: pixels from {low:.3g} to {high:.3g}; brightness must be from 0 to 255, or from 0 to 1",
                name=name,
                low=low,
                high=high,
            ),
            hint=_("divide 16-bit values by 257")
            if 0 <= low < high <= 65_535
            else _("undo the normalization: × std + mean"),
        )
    if 0 < high <= 1:
        notes.append(_("{name}: pixels from 0 to 1, read as brightness", name=name))
        return 255.0
    if array.dtype.kind == "f":
        notes.append(_("{name}: floats, rounded to integers from 0 to 255", name=name))
    return 1.0


def _brightness(array: NDArray[Any], scale: float) -> NDArray[np.uint8]:
    """Scale the values, convert color to brightness, and round: uint8 [n, 28, 28]."""
    gray = np.empty((len(array), SIDE, SIDE), np.uint8)
    for start in range(0, len(array), _BLOCK):
        block = array[start : start + _BLOCK].astype(np.float32) * np.float32(scale)
        gray[start : start + _BLOCK] = np.rint(block @ _LUMA if block.ndim == 4 else block)
    return gray


def labels(array: NDArray[Any], name: str, notes: list[str]) -> NDArray[np.uint8]:
    """Convert labels [n] or [n, 1] of any dtype, one-hot [n, 10], or QMNIST's [n, 8], whose first column is the digit.

    Raises DataError, which begins with `name`.
    """
    if array.ndim == 2 and array.shape[1] == CLASSES and _is_one_hot(array):
        notes.append(_("{name}: one-hot labels, converted to digits", name=name))
        array = array.argmax(1)
    elif array.ndim == 2 and array.shape[1] == 8:
        notes.append(_("{name}: eight columns, as in QMNIST; the first one is the digit", name=name))
        array = array[:, 0]
    elif array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or array.dtype.kind not in "iuf":
        raise DataError(
            _(
                "{name}: is {what}; labels must be one digit each, or one-hot with ten columns",
                name=name,
                what=_describe(array),
            )
        )
    invalid = ~((array >= 0) & (array < CLASSES) & (array == np.round(array)))
    if invalid.any():
        raise _label_error(array, int(invalid.argmax()), name)
    return array.astype(np.uint8)


def _is_one_hot(array: NDArray[Any]) -> bool:
    return bool(((array == 0) | (array == 1)).all() and (array.sum(1) == 1).all())


def _label_error(array: NDArray[Any], index: int, name: str) -> DataError:
    """The error for labels that are not digits, with a guess at what they are."""
    message = _(
        "{name}: label {label} at position {index}; labels must be 0 to 9", name=name, label=array[index], index=index
    )
    low, high = array.min(), array.max()
    if (low, high) == (1, CLASSES):
        return DataError(
            _(
                "{name}: labels from 1 to 10: either the digit + 1, or 10 stands for the digit 0, as in MATLAB",
                name=name,
            ),
            hint=_("convert them to 0 to 9"),
        )
    if high >= CLASSES:
        return DataError(
            _("{message}, but these are {low} to {high}", message=message, low=low, high=high),
            hint=_("are they other classes, such as EMNIST's letters?"),
        )
    return DataError(message)


def _describe(array: NDArray[Any]) -> str:
    """An array's shape and dtype for a message."""
    return _("an array {shape} of {dtype}", shape=list(array.shape), dtype=array.dtype.newbyteorder("="))
