"""One level of a scene: its boxes in layers, the labels in layers of their own, and the edges between them."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from convnet_core.graphs.diagram import Box
from convnet_core.graphs.folds import Fold
from convnet_core.graphs.layout import Layout, Point, lay_out
from convnet_core.graphs.sizes import SIDE, Size, size_of_label

Item = Box | Fold
_Key = TypeVar("_Key")
_POINT = Size(0, 0)

_BESIDE = 22.0
"""Gap between neighbors in a layer."""
_BETWEEN, _MOST_BETWEEN, _SLOPE = 10.0, 90.0, 0.12
"""Gap between layers: at least, at most, and as a share of the longest way to the side in it."""
_PORTS = 16.0
"""Gap between the ends of edges at one box, if there is room."""
_LANE, _LANES = 10.0, 32
"""Edges that no layer has room for go around the level, in so many lanes this far apart."""


class Link(NamedTuple):
    """A tensor's way between two items (ids); None is the border of the level."""

    source: str | None
    tensor: str
    target: str | None


@dataclass(frozen=True)
class Ends:
    """The x where each tensor comes into an open fold and goes out of it, from its left side."""

    entries: dict[str, float]
    exits: dict[str, float]

    def shifted(self, by: float) -> Ends:
        """The same, further to the right."""
        return Ends(*({name: x + by for name, x in ends.items()} for ends in (self.entries, self.exits)))


class Level:
    """The contents of a fold with their places, in pixels from the left upper corner.

    `sizes` are those of the items, `texts` the labels by tensor, `inner` the ends of edges at items that are open.
    """

    def __init__(
        self,
        fold: Fold,
        sizes: Mapping[str, Size],
        links: Sequence[Link],
        texts: Mapping[str, str],
        inner: Mapping[str, Ends],
    ) -> None:
        self.fold, self.sizes, self._inner = fold, sizes, inner
        self._items = {item.id: number for number, item in enumerate(fold.items)}
        self._graph = _LayerGraph(self._items, sizes, links, texts)
        self._layout = self._graph.lay_out()
        self._rows()
        self.labels = list(self._labels(texts))
        self.wires = self._wires()
        self.ends = Ends(
            {tensor: self._x(node) for tensor, node in self._graph.entries.items()},
            {tensor: self._x(node) for tensor, node in self._graph.exits.items()},
        )

    def corner(self, item: str) -> Point:
        """The left upper corner of an item."""
        node = self._items[item]
        return self._x(node) - self.sizes[item].width / 2, self.tops[self._layer(node)]

    def _x(self, node: int) -> float:
        return self._layout.positions[node][0] + self._left

    def _layer(self, node: int) -> int:
        return int(self._layout.positions[node][1])

    def _rows(self) -> None:
        """Set the top and bottom of each layer, and the size of the level."""
        graph, layout = self._graph, self._layout
        count = 1 + max((self._layer(node) for node in range(len(graph.sizes))), default=0)
        heights, ways = [0.0] * count, [0.0] * (count + 1)
        for node, size in enumerate(graph.sizes):
            layer = self._layer(node)
            heights[layer] = max(heights[layer], size.height)
        self._around = [link for link in graph.links if link not in layout.bends and self._is_far(link)]
        around = set(self._around)
        for source, target in graph.links:
            if (source, target) not in around:
                way = [layout.positions[source], *layout.bends.get((source, target), ()), layout.positions[target]]
                for (x, _), (next_x, y) in itertools.pairwise(way):
                    ways[int(y)] = max(ways[int(y)], abs(next_x - x))
        gaps = [min(max(_BETWEEN, _SLOPE * way), _MOST_BETWEEN) for way in ways]
        self.tops, self.bottoms, y = [], [], 0.0
        for height, gap in zip(heights, gaps, strict=False):
            self.tops.append(y + gap)
            self.bottoms.append(y + gap + height)
            y += gap + height
        self.height = y + gaps[-1]
        middles = [(x, graph.sizes[node].width / 2) for node, (x, _) in enumerate(layout.positions)]
        middles += [(x, 0.0) for bends in layout.bends.values() for x, _ in bends]
        self._left = -min((x - half for x, half in middles), default=0.0)
        self._right = self._left + max((x + half for x, half in middles), default=0.0)
        self.width = self._right + (_LANE * min(len(self._around), _LANES) + SIDE if self._around else 0)

    def _is_far(self, link: tuple[int, int]) -> bool:
        return self._layer(link[1]) != self._layer(link[0]) + 1

    def _labels(self, texts: Mapping[str, str]) -> Iterator[tuple[str, str, float, float, Size]]:
        """Each label: text, tensor, middle, top and size."""
        for (_, tensor), node in self._graph.hubs.items():
            if self._graph.sizes[node].width:
                yield texts[tensor], tensor, self._x(node), self.tops[self._layer(node)], self._graph.sizes[node]

    # -- edges --------------------------------------------------------------------------------------

    def _wires(self) -> list[tuple[str, tuple[Point, ...], bool]]:
        """Each edge: its tensor, its points, and whether it ends at an item."""
        graph = self._graph
        starts, ends = self._ports(outgoing=True), self._ports(outgoing=False)
        lanes = {link: self._right + SIDE + _LANE * (number % _LANES) for number, link in enumerate(self._around)}
        return [
            (tensor, self._points(link, starts[link], ends[link], lanes.get(link)), link[1] < len(self._items))
            for link, tensor in graph.tensors.items()
        ]

    def _points(self, link: tuple[int, int], start: float, end: float, lane: float | None) -> tuple[Point, ...]:
        source, target = link
        above, below = self._layer(source), self._layer(target)
        is_entry = source in self._graph.entries.values()
        points = [(start, 0.0 if is_entry else self.tops[above] + self._graph.sizes[source].height)]
        points.append((start, self.bottoms[above]))
        if lane is not None:
            points.append((lane, self.tops[above + 1] if above + 1 < len(self.tops) else self.height))
            points.append((lane, self.bottoms[below - 1] if below else 0.0))
        for x, layer in self._layout.bends.get(link, ()):
            points += [(x + self._left, self.tops[int(layer)]), (x + self._left, self.bottoms[int(layer)])]
        points.append((end, self.tops[below]))
        if target in self._graph.exits.values():
            points.append((end, self.height))
        rounded = [(round(x, 1), round(y, 1)) for x, y in points]
        return tuple(point for point, before in zip(rounded, [None, *rounded], strict=False) if point != before)

    def _ports(self, *, outgoing: bool) -> dict[tuple[int, int], float]:
        """The x where each edge leaves its source, or reaches its target: side by side, in the order of their ways."""
        side, near = (0, 0) if outgoing else (1, -1)
        at: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for link in self._graph.tensors:
            at[link[side]].append(link)
        names = list(self._items)
        ports: dict[tuple[int, int], float] = {}
        for node, links in at.items():
            inner = self._inner.get(names[node]) if node < len(names) else None
            if inner is not None:
                xs = inner.exits if outgoing else inner.entries
                left = self.corner(names[node])[0]
                ports.update((link, left + xs[self._graph.tensors[link]]) for link in links)
                continue
            bends = self._layout.bends
            order = sorted(links, key=lambda link: bends.get(link, [self._layout.positions[link[1 - side]]])[near][0])
            step = min(_PORTS, self._graph.sizes[node].width / (len(links) + 1)) if node < len(names) else 0
            for number, link in enumerate(order):
                ports[link] = self._x(node) + step * (number - (len(links) - 1) / 2)
        return ports


class _LayerGraph:
    """What is laid out: the items, where tensors come in and go out, and a label for each tensor that an item makes."""

    def __init__(
        self, items: Mapping[str, int], sizes: Mapping[str, Size], links: Sequence[Link], texts: Mapping[str, str]
    ) -> None:
        self.sizes = [sizes[item] for item in items]
        self.entries: dict[str, int] = {}
        self.exits: dict[str, int] = {}
        self.hubs: dict[tuple[str, str], int] = {}
        self.tensors: dict[tuple[int, int], str] = {}
        read_here = {(link.source, link.tensor) for link in links if link.target is not None}
        for link in links:
            if link.source is None:
                start = self._node(self.entries, link.tensor)
            elif (start := self.hubs.get((link.source, link.tensor), -1)) < 0:
                text = texts[link.tensor] if (link.source, link.tensor) in read_here else ""
                start = self._node(self.hubs, (link.source, link.tensor), size_of_label(text))
                self.tensors[items[link.source], start] = link.tensor
            end = self._node(self.exits, link.tensor) if link.target is None else items[link.target]
            self.tensors[start, end] = link.tensor

    def _node(self, nodes: dict[_Key, int], key: _Key, size: Size = _POINT) -> int:
        if key not in nodes:
            nodes[key] = len(self.sizes)
            self.sizes.append(size)
        return nodes[key]

    @property
    def links(self) -> list[tuple[int, int]]:
        """The edges, as pairs of nodes."""
        return list(self.tensors)

    def lay_out(self) -> Layout:
        """Layers, and places in them."""
        widths = [size.width for size in self.sizes]
        entries, exits = self.entries.values(), self.exits.values()
        return lay_out(len(widths), self.links, widths, _BESIDE, first=entries, last=exits)
