"""Find the digit among the connected shapes of ink on a picture, without frames and dirt."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convnet_core.data.picture import Gray
from convnet_core.errors import DataError

Mask = NDArray[np.bool_]

_SIDE, _QUICK = 160, 80  # longer side on which shapes of a photograph, of a drawing are looked at, in pixels
_SPECK = 0.01  # of all ink: a smaller shape is none
_DIRT, _DOT = 0.05, 0.2  # area and longer side against the largest shape's, below which a photograph's shape is none
_MOST = 40  # shapes that may be parts of digits
_VERY_MANY = 500
_FAINT = 0.35  # of the largest shape's strength
_SMALL = 0.5  # height of a part against the tallest: a lower one is no digit of its own
_ASIDE, _BELOW = 0.15, 0.5  # gap against the tallest part's height, beside and below each other, between two digits
_TALL = 2.2  # height against width that few digits have: two below each other

_FRAME = 0.15  # how far from its box's side a frame may lie, against the box
_ROUND, _STRAY = 0.9, 0.02  # share of each side that it covers at least; share of it that may lie elsewhere
_STRAIGHT, _SPAN = 0.05, 0.8  # the same as _FRAME, and share of a picture's sides, of a frame with nothing in it
_LOW = 0.03  # of a photograph's longer side: what is left of lines and noise is lower, a digit is taller


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
        """First and last pixel of each row and column: the places [n, 2] that face another shape."""
        places = np.stack([self.rows, self.columns], 1)
        kept = []
        for axis in (0, 1):
            order = places[np.lexsort((places[:, 1 - axis], places[:, axis]))]
            new = np.flatnonzero(np.diff(order[:, axis])) + 1
            kept += [order[np.append(0, new)], order[np.append(new, len(order)) - 1]]
        return np.concatenate(kept)

    def touches(self, height: int, width: int) -> NDArray[np.bool_]:
        """Whether it touches the top, left, bottom and right of an area, bool [4]."""
        return np.array((self.top == 0, self.left == 0, self.bottom == height, self.right == width))

    def is_frame(self, reach: float = _FRAME) -> bool:
        """Whether it lies along all four sides of its box, no farther from them than `reach`, and nowhere else."""
        y = (self.rows - self.top) / max(1, self.height - 1)
        x = (self.columns - self.left) / max(1, self.right - self.left - 1)
        near = np.stack([y, x, 1 - y, 1 - x])
        if (near.min(0) > reach).mean() > _STRAY:
            return False
        along = (self.columns, self.rows, self.columns, self.rows)
        lengths = (self.right - self.left, self.height, self.right - self.left, self.height)
        return all(
            len(np.unique(places[close <= reach])) >= _ROUND * length
            for places, close, length in zip(along, near, lengths, strict=True)
        )

    def surrounds(self, height: float, width: float) -> bool:
        """Whether it is a straight frame nearly as large as a picture: no hand draws a 0 like that."""
        large = self.height >= _SPAN * height and self.right - self.left >= _SPAN * width
        return large and self.is_frame(_STRAIGHT)

    def holds(self, other: Shape) -> bool:
        """Whether the other shape's box is inside this one's."""
        inside = self.top < other.top and other.bottom < self.bottom
        return inside and self.left < other.left and other.right < self.right


def digit(ink: Gray, least: float, *, photograph: bool) -> Gray:
    """The ink of the one digit on a picture, without a frame around it, specks, and what a photograph's sides cut off.

    A drawing's ink in one piece, as most digits are, is given as it is; ink that is all gone is zero. Raises DataError
    where there are several digits.
    """
    on = ink > least
    rows, columns = np.flatnonzero(on.any(1)), np.flatnonzero(on.any(0))
    if not len(rows):
        return np.zeros_like(ink)
    top, left, bottom, right = int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1
    factor = -(-max(bottom - top, right - left) // (_SIDE if photograph else _QUICK))
    small = np.asarray(Image.fromarray(ink[top:bottom, left:right]).reduce(factor), np.float32)
    labels, count = components(small > least)
    kept = _inside_frames(_shapes(small, labels, count), ink.shape[0] / factor, ink.shape[1] / factor)
    if photograph and kept:
        height, width = labels.shape
        sides = np.array((top == 0, left == 0, bottom == ink.shape[0], right == ink.shape[1]))
        kept = [shape for shape in kept if not (sides & shape.touches(height, width)).any()] or kept
        kept = _without_dirt(kept)
    least_height = _LOW * max(ink.shape) / factor if photograph else 0
    if not any(shape.height >= least_height for shape in kept):
        return np.zeros_like(ink)
    _check_one(kept)
    if len(kept) == count and not photograph:
        return ink
    mask = np.isin(labels, [shape.number for shape in kept])
    mask = _wider(mask).repeat(factor, axis=0).repeat(factor, axis=1)[: bottom - top, : right - left]
    alone = np.zeros_like(ink)
    alone[top:bottom, left:right] = ink[top:bottom, left:right] * mask
    return alone


def without_frames(ink: Gray, least: float) -> Gray:
    """The ink on a photograph, zero where there is a frame around other ink, or a straight one around nearly all."""
    labels, count = components(ink > least)
    shapes = _shapes(ink, labels, count)
    inside = _inside_frames(shapes, *ink.shape)
    frames = [shape.number for shape in shapes if shape not in inside]
    return np.where(_wider(np.isin(labels, frames)), np.float32(0), ink)


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


def _inside_frames(shapes: list[Shape], height: float, width: float) -> list[Shape]:
    """Without the frames that stand around others, or around nearly all of a picture."""
    frames = [
        shape
        for shape in shapes
        if shape.surrounds(height, width) or (shape.is_frame() and any(shape.holds(other) for other in shapes))
    ]
    return [shape for shape in shapes if shape not in frames]


def _without_dirt(shapes: list[Shape]) -> list[Shape]:
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
            f"no digit: {len(shapes)} separate shapes on the picture", hint="use a picture of one digit on plain paper"
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
            f"several digits: {count} separate shapes of similar height",
            hint="crop the picture to one digit",
        )


def _belong(one: Shape, other: Shape) -> bool:
    """Whether two shapes are close enough to belong to one digit."""
    overlap = min(one.bottom, other.bottom) - max(one.top, other.top)
    aside = overlap >= min(one.height, other.height) / 2
    height = max(one.bottom, other.bottom) - min(one.top, other.top)
    width = max(one.right, other.right) - min(one.left, other.left)
    most = _ASIDE if aside or height > _TALL * width else _BELOW
    return one.gap(other) <= most * max(one.height, other.height)


def _wider(mask: Mask) -> Mask:
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
    kept, found = np.unique(numbers[mask], return_inverse=True)
    labels = np.zeros(mask.shape, np.intp)
    labels[mask] = found + 1
    return labels, len(kept)
