"""The order of the nodes in each layer, and their x: long edges straight, nodes above the middle of their neighbors.

Order by barycenters; positions by Brandes and Köpf, "Fast and Simple Horizontal Coordinate Assignment" (2001), with
widths, and with the compaction of the library dagre.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right, insort
from collections.abc import Iterable, Sequence

_SWEEPS = 8
"""Passes over the layers that order the nodes; more passes gain little."""

Rows = list[list[int]]


class Grid:
    """Nodes in rows, each with its neighbors in the row above and in the row below. `pairs` lead one row down.

    Numbers from `first_dummy` on are bends of long edges.
    """

    def __init__(self, rows: Rows, pairs: Iterable[tuple[int, int]], count: int, first_dummy: int) -> None:
        self.rows, self.first_dummy = rows, first_dummy
        self.above: Rows = [[] for _ in range(count)]
        self.below: Rows = [[] for _ in range(count)]
        for upper, lower in pairs:
            self.above[lower].append(upper)
            self.below[upper].append(lower)
        self._order()

    def _order(self) -> None:
        """Order the rows so that few edges cross."""
        self.place = [0] * len(self.above)
        self._number()
        best, fewest = self.rows, self._crossings()
        for sweep in range(_SWEEPS):
            if not fewest:
                break
            neighbors, step = (self.below, -1) if sweep % 2 else (self.above, 1)
            self.rows = self.rows[:]
            for index in range(len(self.rows))[::step]:
                self._sort(index, neighbors)
            if (crossings := self._crossings()) < fewest:
                best, fewest = self.rows, crossings
        self.rows = best
        self._number()
        for neighbors in (self.above, self.below):
            for nodes in neighbors:
                nodes.sort(key=self.place.__getitem__)

    def columns(self) -> tuple[Rows, Rows]:
        """The neighbors above and below that a node may share its column with: constants give way to data.

        A constant is a node without one above, or what leads straight from it; to a node that reads nothing else, it
        is data.
        """
        depths = [0] * len(self.above)
        for row in self.rows:
            for node in row:
                depths[node] = max((depths[other] + 1 for other in self.above[node]), default=0)
        above = [[other for other in others if depths[other] > 1] or others for others in self.above]
        below = [[other for other in others if node in above[other]] for node, others in enumerate(self.below)]
        return above, below

    def _sort(self, index: int, neighbors: Rows) -> None:
        """Sort a row by the mean place of each node's neighbors; one without any keeps its place."""
        place = self.place
        keys = {
            node: sum(place[other] for other in others) / len(others) if (others := neighbors[node]) else place[node]
            for node in self.rows[index]
        }
        self.rows[index] = sorted(self.rows[index], key=keys.__getitem__)
        for number, node in enumerate(self.rows[index]):
            place[node] = number

    def _number(self) -> None:
        for row in self.rows:
            for number, node in enumerate(row):
                self.place[node] = number

    def _crossings(self) -> int:
        """The pairs of edges that cross between neighboring rows."""
        total = 0
        for row in self.rows[1:]:
            ends: list[int] = []
            for node in row:
                uppers = sorted(self.place[upper] for upper in self.above[node])
                total += sum(len(ends) - bisect_right(ends, upper) for upper in uppers)
                for upper in uppers:
                    insort(ends, upper)
        return total

    def conflicts(self) -> set[tuple[int, int]]:
        """The edges (upper, lower) that cross a piece of a long edge: they give way to it."""
        found: set[tuple[int, int]] = set()
        for row in self.rows[1:]:
            pieces = [
                (self.place[upper], self.place[node])
                for node in row
                if node >= self.first_dummy
                for upper in self.above[node]
                if upper >= self.first_dummy
            ]
            if not pieces:
                continue
            for node in row:
                for upper in self.above[node]:
                    if upper < self.first_dummy or node < self.first_dummy:
                        at = self.place[upper], self.place[node]
                        if any((at[0] - piece[0]) * (at[1] - piece[1]) < 0 for piece in pieces):
                            found.add((upper, node))
        return found


def place(grid: Grid, widths: Sequence[float], gap: float) -> list[float]:
    """The x of the center of each node: the middle of four placements, each aligned to another side."""
    conflicts = grid.conflicts()
    above, below = grid.columns()
    placements = []
    for rows, neighbors in ((grid.rows, above), (grid.rows[::-1], below)):
        for mirrored in (False, True):
            xs = _place_to_the_left(rows, neighbors, conflicts, widths, gap, mirrored)
            placements.append([-x for x in xs] if mirrored else xs)
    sides = [_sides(xs, widths) for xs in placements]
    low, high = min(sides, key=lambda side: side[1] - side[0])
    shifts = [high - side[1] if index % 2 else low - side[0] for index, side in enumerate(sides)]
    shifted = [[x + shift for x in xs] for xs, shift in zip(placements, shifts, strict=True)]
    return [sum(sorted(four)[1:3]) / 2 for four in zip(*shifted, strict=True)]


def _sides(xs: Sequence[float], widths: Sequence[float]) -> tuple[float, float]:
    return (
        min(x - width / 2 for x, width in zip(xs, widths, strict=True)),
        max(x + width / 2 for x, width in zip(xs, widths, strict=True)),
    )


def _place_to_the_left(
    rows: Rows, neighbors: Rows, conflicts: set[tuple[int, int]], widths: Sequence[float], gap: float, mirrored: bool
) -> list[float]:
    """Align nodes with the middle one of their neighbors in the row before, and push all to the left.

    `mirrored`: from right to left, so that the results are the negative positions.
    """
    if mirrored:
        rows = [row[::-1] for row in rows]
    root = _aligned(rows, neighbors, conflicts, mirrored)
    left = _neighbors_of_blocks(rows, root, widths, gap)
    order = _sorted_blocks(left)
    xs: dict[int, float] = {}
    for block in order:
        xs[block] = max((xs[other] + distance for other, distance in left[block].items()), default=0.0)
    room: dict[int, float] = {}
    for block in reversed(order):  # to the right, as far as there is room
        xs[block] = max(xs[block], room.get(block, xs[block]))
        for other, distance in left[block].items():
            room[other] = min(room.get(other, xs[block] - distance), xs[block] - distance)
    return [xs[block] for block in root]


def _aligned(rows: Rows, neighbors: Rows, conflicts: set[tuple[int, int]], mirrored: bool) -> list[int]:
    """For each node the first one of its block: the nodes that stand in one column."""
    root = list(range(len(neighbors)))
    taken = set[int]()  # nodes with a node of the next row in their column
    place = {node: number for row in rows for number, node in enumerate(row)}
    for row in rows[1:]:
        last = -1
        for node in row:
            others = neighbors[node][::-1] if mirrored else neighbors[node]
            for other in others[(len(others) - 1) // 2 : len(others) // 2 + 1]:
                free = place[other] > last and other not in taken
                if free and (other, node) not in conflicts and (node, other) not in conflicts:
                    taken.add(other)
                    root[node] = root[other]
                    last = place[other]
                    break
    return root


def _neighbors_of_blocks(
    rows: Rows, root: Sequence[int], widths: Sequence[float], gap: float
) -> dict[int, dict[int, float]]:
    """For each block the blocks to its left, and how far apart their centers must be at least."""
    left: dict[int, dict[int, float]] = {block: {} for block in root}
    for row in rows:
        for one, two in itertools.pairwise(row):
            distance = (widths[one] + widths[two]) / 2 + gap
            beside = left[root[two]]
            beside[root[one]] = max(beside.get(root[one], 0.0), distance)
    return left


def _sorted_blocks(left: dict[int, dict[int, float]]) -> list[int]:
    """The blocks, each after those to its left."""
    right: dict[int, list[int]] = {block: [] for block in left}
    missing = {block: len(others) for block, others in left.items()}
    for block, others in left.items():
        for other in others:
            right[other].append(block)
    order = [block for block, number in missing.items() if not number]
    for block in order:  # the loop extends `order`
        for other in right[block]:
            missing[other] -= 1
            if not missing[other]:
                order.append(other)
    return order
