"""The folds of a diagram: groups within groups, so that no data leaves a fold and comes back into it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from convnet_core.graphs.diagram import Box, Diagram

Pairs = Sequence[tuple[int, int]]

FEW = 13
"""Folds are open at first as long as so few boxes are shown."""


@dataclass(frozen=True)
class Fold:
    """A group with what it contains, in the order of the data flow. The whole diagram is the fold ""."""

    id: str
    name: str
    kind: str
    items: tuple[Fold | Box, ...]

    @cached_property
    def boxes(self) -> tuple[Box, ...]:
        """All boxes in it, also those in inner folds."""
        return tuple(box for item in self.items for box in (item.boxes if isinstance(item, Fold) else (item,)))

    @property
    def folds(self) -> Iterator[Fold]:
        """The folds in it, outer ones first."""
        for item in self.items:
            if isinstance(item, Fold):
                yield item
                yield from item.folds

    @property
    def contents(self) -> list[tuple[str, int]]:
        """What it contains: the kinds of its folds and the operators of its boxes, the most frequent first."""
        names = (item.kind if isinstance(item, Fold) else item.title for item in self.items)
        return [(name, count) for name, count in Counter(names).most_common() if name]


def fold(diagram: Diagram) -> Fold:
    """All folds of a diagram. A group whose nodes data enters again becomes several: `relu`, `relu (2)`."""
    number = {box.id: index for index, box in enumerate(diagram.boxes)}
    pairs = sorted({(number[link.source], number[link.target]) for link in diagram.links})
    builder = _Builder(diagram, [pair for pair in pairs if pair[0] != pair[1]])
    return Fold("", "", "", builder.items(list(range(len(diagram.boxes))), 0))


def open_at_first(root: Fold) -> frozenset[str]:
    """The folds to open: all in a small diagram, else level by level while few boxes are shown."""
    opened: set[str] = set()
    level: list[Fold | Box] = list(root.items)
    while folds := [item for item in level if isinstance(item, Fold)]:
        level = [inner for item in level for inner in (item.items if isinstance(item, Fold) else (item,))]
        if len(level) > FEW:
            break
        opened.update(item.id for item in folds)
    return frozenset(opened)


class _Builder:
    def __init__(self, diagram: Diagram, pairs: Pairs) -> None:
        self._boxes, self._kinds = diagram.boxes, diagram.kinds
        self._groups = Counter[str]()
        self._ids = {box.id for box in diagram.boxes}
        self._after: list[list[int]] = [[] for _ in diagram.boxes]
        for source, target in pairs:
            self._after[source].append(target)

    def items(self, nodes: list[int], depth: int) -> tuple[Fold | Box, ...]:
        """What these boxes look like if folded by the groups at this depth, in the order of the data flow."""
        keys: dict[int, Hashable] = {}
        for node in nodes:
            groups = self._boxes[node].groups
            keys[node] = groups[depth] if len(groups) > depth else node
        order: list[Fold | Box] = []
        for cluster in self._without_cycles(nodes, keys):
            if len(cluster) == 1:
                order.append(self._boxes[cluster[0]])
            else:
                order.append(self._fold(cluster, depth))
        return tuple(order)

    def _fold(self, cluster: list[int], depth: int) -> Fold:
        group = self._boxes[cluster[0]].groups[depth]
        self._groups[group] += 1
        number = f" ({self._groups[group]})" if self._groups[group] > 1 else ""
        items = self.items(cluster, depth + 1)
        if len(items) == 1 and isinstance(items[0], Fold):  # one module in another, and nothing else
            return items[0]
        name = f"{group.rsplit('/', 1)[-1]}{number}"
        return Fold(self._unique(f"{group}{number}"), name, self._kinds.get(group, ""), items)

    def _unique(self, wanted: str) -> str:
        """An id that no box and no other fold has: a module `logits` may lead to an output `logits`."""
        while wanted in self._ids:
            wanted += "/"
        self._ids.add(wanted)
        return wanted

    def _without_cycles(self, nodes: list[int], keys: dict[int, Hashable]) -> list[list[int]]:
        """The nodes by key, in the order of the data flow. Keys in a cycle are divided into runs of that order."""
        order = self._sorted(nodes, keys)
        cyclic = self._cyclic(nodes, keys)
        previous, run = None, 0
        clusters: dict[Hashable, list[int]] = {}
        for node in order:
            key: Hashable = keys[node]
            if key in cyclic:
                run += key != previous
                previous = key
                key = key, run
            clusters.setdefault(key, []).append(node)
        return list(clusters.values())

    def _sorted(self, nodes: list[int], keys: dict[int, Hashable]) -> list[int]:
        """The nodes in the order of the data flow; those with the same key together, if possible."""
        inside = set(nodes)
        missing = Counter(target for node in nodes for target in self._after[node] if target in inside)
        ready: dict[Hashable, list[int]] = {}
        for node in nodes:
            if not missing[node]:
                ready.setdefault(keys[node], []).append(node)
        order: list[int] = []
        key: Hashable = None
        while ready:
            key = key if key in ready else next(iter(ready))
            node = ready[key].pop(0)
            if not ready[key]:
                del ready[key]
            order.append(node)
            for target in self._after[node]:
                if target in inside:
                    missing[target] -= 1
                    if not missing[target]:
                        ready.setdefault(keys[target], []).append(target)
        placed = set(order)
        return order + [node for node in nodes if node not in placed]  # a cycle, which no valid model has

    def _cyclic(self, nodes: list[int], keys: dict[int, Hashable]) -> set[Hashable]:
        """The keys in a cycle or between cycles."""
        pairs = {(keys[node], keys[target]) for node in nodes for target in self._after[node] if target in keys}
        pairs = {(one, two) for one, two in pairs if one != two}
        left = set(keys.values())
        for forward in (True, False):
            after: dict[Hashable, list[Hashable]] = {}
            missing = Counter[Hashable]()
            for pair in pairs:
                source, target = pair if forward else pair[::-1]
                if source in left and target in left:
                    after.setdefault(source, []).append(target)
                    missing[target] += 1
            free = [key for key in left if not missing[key]]
            for key in free:  # the loop extends `free`
                for target in after.get(key, ()):
                    missing[target] -= 1
                    if not missing[target]:
                        free.append(target)
            left.difference_update(free)
        return left
