"""Find the digit among the connected shapes of ink on a picture, without frames and dirt."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convnet_core.data.picture import Gray
from convnet_core.errors import DataError
from convnet_core.language import _

Mask = NDArray[np.bool_]

_SIDE, _QUICK = 160, 80  # longer side of the copy to analyze, of a photograph and of a drawing, in pixels
_SPECK = 0.01  # fraction of the largest shape's area, below which a shape is a speck
_DIRT, _DOT = 0.05, 0.2  # minimum area and longer side in a photograph, relative to the largest shape
_MOST = 40  # maximum number of shapes
_VERY_MANY = 500
_FAINT = 0.35  # minimum strength, relative to the largest shape
_SMALL = 0.5  # minimum height of a separate digit, relative to the tallest
_ASIDE, _BELOW = 0.15, 0.5  # maximum gap in a digit, side by side and vertically, over the taller part's height
_TALL = 2.2  # height over width from which two parts are two digits, one below the other

_FRAME = 0.15  # maximum distance of a frame from its box's sides, relative to the box
_ROUND, _STRAY = 0.9, 0.02  # minimum fraction of each side that a frame covers; maximum fraction of it elsewhere
_STRAIGHT, _SPAN = 0.05, 0.8  # for an empty frame: the same as _FRAME, and the fraction of a picture's sides it spans
_LOW = 0.03  # fraction of a photograph's longer side: remains of lines and noise are lower, digits are taller


@dataclass(frozen=True, eq=False)
class Shape:
    """A connected piece of ink: the coordinates of its pixels, and its box, with exclusive `bottom` and `right`.

    `strength` is the ink of its darkest pixel.
    """

    number: int
    strength: float
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]

    @functools.cached_property
    def top(self) -> int:
        return int(self.rows.min())

    @functools.cached_property
    def bottom(self) -> int:
        return int(self.rows.max()) + 1

    @functools.cached_property
    def left(self) -> int:
        return int(self.columns.min())

    @functools.cached_property
    def right(self) -> int:
        return int(self.columns.max()) + 1

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def side(self) -> int:
        return max(self.height, self.right - self.left)

    def gap(self, other: Shape) -> float:
        """The smallest distance between pixels of the two shapes."""
        mine, theirs = self._outline, other._outline
        return float(np.sqrt(((mine[:, None] - theirs[None]) ** 2).sum(2).min()))

    @functools.cached_property
    def _outline(self) -> NDArray[np.intp]:
        """The first and last pixels of each row and column, [n, 2]; enough to measure distances to other shapes."""
        pixels = np.stack([self.rows, self.columns], 1)
        outline = []
        for axis in (0, 1):
            order = pixels[np.lexsort((pixels[:, 1 - axis], pixels[:, axis]))]
            starts = np.flatnonzero(np.diff(order[:, axis])) + 1
            outline += [order[np.append(0, starts)], order[np.append(starts, len(order)) - 1]]
        return np.concatenate(outline)

    def touches(self, height: int, width: int) -> NDArray[np.bool_]:
        """Whether it touches the top, left, bottom and right of an area, bool [4]."""
        return np.array((self.top == 0, self.left == 0, self.bottom == height, self.right == width))

    def is_frame(self, reach: float = _FRAME) -> bool:
        """Whether the shape follows all four sides of its box within the distance `reach`, and is nowhere else."""
        y = (self.rows - self.top) / max(1, self.height - 1)
        x = (self.columns - self.left) / max(1, self.right - self.left - 1)
        near = np.stack([y, x, 1 - y, 1 - x])
        if (near.min(0) > reach).mean() > _STRAY:
            return False
        along = (self.columns, self.rows, self.columns, self.rows)
        lengths = (self.right - self.left, self.height, self.right - self.left, self.height)
        return all(
            len(np.unique(positions[distance <= reach])) >= _ROUND * length
            for positions, distance, length in zip(along, near, lengths, strict=True)
        )

    def surrounds(self, height: float, width: float) -> bool:
        """Whether the shape is a straight frame almost as large as the picture, which a handwritten 0 never is."""
        large = self.height >= _SPAN * height and self.right - self.left >= _SPAN * width
        return large and self.is_frame(_STRAIGHT)

    def contains(self, other: Shape) -> bool:
        """Whether the other shape's box is inside this one's."""
        inside = self.top < other.top and other.bottom < self.bottom
        return inside and self.left < other.left and other.right < self.right


def digit(ink: Gray, least: float, *, photograph: bool, clean: bool = False) -> Gray:
    """The ink of the single digit on a picture, without frames, specks, and shapes cut off by a photograph's sides.

    Returns the ink of a drawing unchanged if there is nothing to remove, and zeros if no digit is left. On `clean`
    paper, as on a drawing pad, nobody has printed a frame. Raises DataError if there is more than one digit.
    """
    on = ink > least
    rows, columns = np.flatnonzero(on.any(1)), np.flatnonzero(on.any(0))
    if not len(rows):
        return np.zeros_like(ink)
    top, left, bottom, right = int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1
    factor = -(-max(bottom - top, right - left) // (_SIDE if photograph else _QUICK))
    small = np.asarray(Image.fromarray(ink[top:bottom, left:right]).reduce(factor), np.float32)
    labels, count = components(small > least)
    found = _shapes(small, labels, count)
    shapes = _remove_frames(found, ink.shape[0] / factor, ink.shape[1] / factor)
    if clean and not shapes:
        shapes = found  # a frame that somebody drew around nothing is a 0 with corners
    if photograph and shapes:
        height, width = labels.shape
        sides = np.array((top == 0, left == 0, bottom == ink.shape[0], right == ink.shape[1]))
        shapes = [shape for shape in shapes if not (sides & shape.touches(height, width)).any()] or shapes
        shapes = _remove_dirt(shapes)
    min_height = _LOW * max(ink.shape) / factor if photograph else 0
    if not any(shape.height >= min_height for shape in shapes):
        return np.zeros_like(ink)
    _check_one(shapes)
    if len(shapes) == count and not photograph:
        return ink
    mask = np.isin(labels, [shape.number for shape in shapes])
    mask = _grow(mask).repeat(factor, axis=0).repeat(factor, axis=1)[: bottom - top, : right - left]
    digit_ink = np.zeros_like(ink)
    digit_ink[top:bottom, left:right] = ink[top:bottom, left:right] * mask
    return digit_ink


def without_frames(ink: Gray, least: float) -> Gray:
    """The ink on a photograph, with zeros for frames around other ink and straight frames around the picture."""
    labels, count = components(ink > least)
    shapes = _shapes(ink, labels, count)
    inside = _remove_frames(shapes, *ink.shape)
    frames = [shape.number for shape in shapes if shape not in inside]
    return np.where(_grow(np.isin(labels, frames)), np.float32(0), ink)


def _shapes(ink: Gray, labels: NDArray[np.intp], count: int) -> list[Shape]:
    """The shapes, without specks."""
    return [
        Shape(number, float(ink[labels == number].max()), *np.nonzero(labels == number))
        for number in _large(labels, count)
    ]


def _large(labels: NDArray[np.intp], count: int) -> list[int]:
    """The numbers of the shapes without specks; of very many, only the largest."""
    areas = np.bincount(labels.ravel(), minlength=count + 1)
    areas[0] = 0
    numbers = np.argsort(-areas)[:_VERY_MANY]
    return [int(number) for number in numbers if areas[number] >= _SPECK * areas.max()]


def _remove_frames(shapes: list[Shape], height: float, width: float) -> list[Shape]:
    """The shapes, without frames around other shapes and frames around almost the whole picture."""
    frames = [
        shape
        for shape in shapes
        if shape.surrounds(height, width) or (shape.is_frame() and any(shape.contains(other) for other in shapes))
    ]
    return [shape for shape in shapes if shape not in frames]


def _remove_dirt(shapes: list[Shape]) -> list[Shape]:
    """The shapes, without those that are faint or tiny compared to the largest."""
    most = max(shapes, key=lambda shape: len(shape.rows) * shape.strength)
    return [
        shape
        for shape in shapes
        if shape.strength >= _FAINT * most.strength
        and (len(shape.rows) >= _DIRT * len(most.rows) or shape.side >= _DOT * most.side)
    ]


def _check_one(shapes: list[Shape]) -> None:
    """Raises DataError if the shapes form more than one digit.

    Shapes with a small gap belong to one digit, whose writer lifted the pen. The gap may be larger between an upper and
    a lower part than between neighbors in a line, unless the parts together are too tall for one digit.
    """
    if len(shapes) > _MOST:
        raise DataError(
            _("no digit: {count} separate shapes on the picture", count=len(shapes)),
            hint=_("use a picture of one digit on plain paper"),
        )
    groups = [[shape] for shape in shapes]
    for one, shape in enumerate(shapes):
        for other in shapes[one + 1 :]:
            mine, theirs = (next(group for group in groups if item in group) for item in (shape, other))
            if mine is not theirs and _belong(shape, other):
                mine += theirs
                groups.remove(theirs)
    heights = [max(part.bottom for part in group) - min(part.top for part in group) for group in groups]
    count = sum(height >= _SMALL * max(heights) for height in heights)
    if count > 1:
        raise DataError(
            _("several digits: {count} separate shapes of similar height", count=count),
            hint=_("crop the picture to one digit"),
        )


def _belong(one: Shape, other: Shape) -> bool:
    """Whether two shapes are close enough to belong to one digit."""
    overlap = min(one.bottom, other.bottom) - max(one.top, other.top)
    aside = overlap >= min(one.height, other.height) / 2
    height = max(one.bottom, other.bottom) - min(one.top, other.top)
    width = max(one.right, other.right) - min(one.left, other.left)
    most = _ASIDE if aside or height > _TALL * width else _BELOW
    return one.gap(other) <= most * max(one.height, other.height)


def _grow(mask: Mask) -> Mask:
    """Grow a mask by one pixel, to include the soft edge of the ink."""
    padded = np.pad(mask, 1)
    tall = padded[:-2] | padded[1:-1] | padded[2:]
    return tall[:, :-2] | tall[:, 1:-1] | tall[:, 2:]


def components(mask: Mask) -> tuple[NDArray[np.intp], int]:
    """Number the 8-connected components of a mask from 1; 0 is outside. Returns the numbers and their count.

    Each pixel takes the smallest number around it, then the number of that pixel, until nothing changes. The number of
    steps is logarithmic (Y. Shiloach, U. Vishkin, "An O(log n) parallel connectivity algorithm", 1982).
    """
    outside = mask.size
    numbers = np.where(mask, np.arange(mask.size).reshape(mask.shape), outside)
    while True:
        least = np.pad(numbers, 1, constant_values=outside)
        least = np.minimum(np.minimum(least[:-2], least[1:-1]), least[2:])
        least = np.minimum(np.minimum(least[:, :-2], least[:, 1:-1]), least[:, 2:])
        least = np.where(mask, least, outside)
        least = np.append(least.ravel(), outside)[least]
        if (least == numbers).all():
            break
        numbers = least
    roots, indices = np.unique(numbers[mask], return_inverse=True)
    labels = np.zeros(mask.shape, np.intp)
    labels[mask] = indices + 1
    return labels, len(roots)
