"""Align rows that nearly equal scores may put in any order. Needs only NumPy.

Two runtimes whose scores differ by rounding noise sort nearly equal scores differently, and both orders are right.
`align_rows` puts a runtime's rows in the reference's order, so they can be compared value by value.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convnet_core.tensors.arrays import Array, Feeds

Tolerance = tuple[float, float]
"""rtol, relative to the largest value, and atol."""


@dataclass(frozen=True)
class Ranking:
    """The reference's choice by scores.

    `scores` are float64 [lists, candidates], higher is better; `chosen` int64 [lists, k] are the indices of the chosen
    candidates. In the model the choice has the shape `shape`, whose dimension `axis` is k. `indices` are the outputs
    that contain the indices, `others` those that may contain rows chosen by them. An index is a number or, with `dims`,
    its coordinates in these dimensions, along one more axis.
    """

    scores: NDArray[np.float64]
    chosen: NDArray[np.int64]
    shape: tuple[int, ...]
    axis: int
    indices: tuple[str, ...]
    others: tuple[str, ...]
    dims: tuple[int, ...] = ()

    def lists(self, array: Array) -> Array | None:
        """A view of an output as [*lists, k, ...]; None if it does not have these dimensions.

        The dimension of k may be missing if k is 1.
        """
        rank = len(self.shape)
        if array.shape[:rank] != self.shape:
            lead = self.shape[: self.axis] + self.shape[self.axis + 1 :]
            if self.shape[self.axis] != 1 or array.shape[: rank - 1] != lead:
                return None
            array = np.expand_dims(array, self.axis)
        return np.moveaxis(array, self.axis, rank - 1)

    def places(self, differs: NDArray[np.bool_]) -> list[tuple[int, tuple[int, ...]]]:
        """The lists that contain a difference [*lists, k, ...], by number, and their position in such a view."""
        lead = differs.shape[: len(self.shape) - 1]
        lines = np.flatnonzero(differs.reshape(len(self.chosen), -1).any(axis=1))
        return [(int(line), tuple(int(axis) for axis in np.unravel_index(line, lead))) for line in lines]

    def slack(self, line: int, tolerance: Tolerance) -> float:
        """How far apart scores of a list may be and still count as equal."""
        rtol, atol = tolerance
        finite = self.scores[line][np.isfinite(self.scores[line])]
        return atol + rtol * float(np.abs(finite).max(initial=0.0))


def equal(got: Feeds, expected: Feeds, tolerances: Mapping[str, Tolerance]) -> bool:
    """Whether all outputs are equal without alignment."""
    return got.keys() == expected.keys() and all(
        array.shape == expected[name].shape and _close(expected[name], array, tolerances[name]).all()
        for name, array in got.items()
    )


def align_rows(
    got: Feeds, expected: Feeds, rankings: Sequence[Ranking], tolerances: Mapping[str, Tolerance]
) -> tuple[Feeds, int]:
    """A runtime's outputs with rows of equal scores in the reference's order, and how many rows moved."""
    result, moved = {name: array.copy() for name, array in got.items()}, 0
    for ranking in rankings:
        for name in ranking.indices:
            if name in got and got[name].size == expected[name].size:
                moved = max(moved, _same_places(result[name], expected[name], ranking, tolerances[name]))
        names = [name for name in ranking.others if name in got and got[name].shape == expected[name].shape]
        moved = max(moved, _same_order(result, expected, ranking, names, tolerances))
    return result, moved


def _same_places(got: Array, expected: Array, ranking: Ranking, tolerance: Tolerance) -> int:
    """Replace indices by the reference's if their scores are equal; returns how many."""
    shape = (*ranking.shape, len(ranking.dims)) if ranking.dims else ranking.shape
    if got.size != np.prod(shape, dtype=int):
        return 0
    theirs, ours = ranking.lists(got.reshape(shape)), ranking.lists(expected.reshape(shape))
    assert theirs is not None
    assert ours is not None
    moved = 0
    for line, where in ranking.places(theirs != ours):
        scores, places, right = ranking.scores[line], theirs[where], ours[where]
        flat, inside = _flat(places, ranking, len(scores))
        unique = len(np.unique(flat)) == len(flat)
        close = np.abs(scores[flat] - scores[_flat(right, ranking, len(scores))[0]]) <= ranking.slack(line, tolerance)
        as_good = (places != right).reshape(len(flat), -1).any(axis=1) & close & inside & unique
        places[as_good] = right[as_good]
        moved += int(as_good.sum())
    return moved


def _flat(places: Array, ranking: Ranking, count: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Indices as numbers from 0 (0 if out of range), and which are in range."""
    whole = places.astype(np.int64)
    if ranking.dims:
        whole = np.ravel_multi_index(tuple(whole.T), ranking.dims, mode="clip")
    whole = np.where(whole < 0, whole + count, whole)
    inside = (whole >= 0) & (whole < count)
    return np.where(inside, whole, 0), inside


def _same_order(
    result: Feeds, expected: Feeds, ranking: Ranking, names: Sequence[str], tolerances: Mapping[str, Tolerance]
) -> int:
    """Reorder the rows that the ranking chose, in all outputs alike; returns how many moved."""
    theirs = {name: view for name in names if (view := ranking.lists(result[name])) is not None}
    ours = {name: view for name in theirs if (view := ranking.lists(expected[name])) is not None}
    if not theirs:
        return 0
    widest, rank = max((tolerances[name] for name in theirs), key=sum), len(ranking.shape)
    differs = [~_close(ours[name], theirs[name], tolerances[name]) for name in theirs]
    either = np.logical_or.reduce([item.any(axis=tuple(range(rank, item.ndim))) for item in differs])
    moved = 0
    for line, where in ranking.places(either):
        for start, stop, is_open in _groups(ranking, line, ranking.slack(line, widest)):
            here: tuple[Any, ...] = (*where, slice(start, stop))
            pairs = [
                _close(ours[name][here][:, None], theirs[name][here][None], tolerances[name]).reshape(
                    stop - start, stop - start, -1
                )
                for name in theirs
            ]
            order = _order(np.logical_and.reduce([pair.all(axis=2) for pair in pairs]))
            if None in order and not is_open:
                continue
            for name, view in theirs.items():
                before = view[here].copy()
                for place, source in enumerate(order):  # a candidate that was just not chosen is equally good
                    rows = ours[name][here][place] if source is None else before[source]
                    view[here][place] = rows
            moved += sum(source != place for place, source in enumerate(order))
    return moved


def _groups(ranking: Ranking, line: int, slack: float) -> list[tuple[int, int, bool]]:
    """Runs of equal scores: start, stop, and whether candidates that were not chosen have equal scores too."""
    best = ranking.scores[line][ranking.chosen[line]]
    left = np.delete(ranking.scores[line], ranking.chosen[line])
    with np.errstate(invalid="ignore"):
        edges = [0, *(np.flatnonzero(~(np.abs(np.diff(best)) <= slack)) + 1), len(best)]
        runs = [(int(start), int(stop)) for start, stop in itertools.pairwise(edges) if stop > start]
        groups = [(start, stop, bool((np.abs(left - best[stop - 1]) <= slack).any())) for start, stop in runs]
    return [(start, stop, is_open) for start, stop, is_open in groups if stop - start > 1 or is_open]


def _close(ours: Array, theirs: Array, tolerance: Tolerance) -> NDArray[np.bool_]:
    """Which values are equal: floats within tolerance relative to the reference's largest, others exactly."""
    if ours.dtype.kind not in "fV":
        return np.asarray(ours == theirs, bool)
    rtol, atol = tolerance
    a, b = ours.astype(np.float64), theirs.astype(np.float64)
    largest = np.where(np.isfinite(a), np.abs(a), 0.0).max(initial=0.0)
    with np.errstate(invalid="ignore"):
        return np.asarray((np.abs(a - b) <= atol + rtol * largest) | (a == b), bool)


def _order(equal: NDArray[np.bool_]) -> list[int | None]:
    """For each reference row an equal row of the runtime, preferably the same one, each used once; or None."""
    free, order = set(range(len(equal))), list[int | None]()
    for place, fits in enumerate(equal):
        candidates = [source for source in sorted(free) if fits[source]]
        source = place if place in candidates else next(iter(candidates), None)
        if source is not None:
            free.remove(source)
        order.append(source)
    return order
