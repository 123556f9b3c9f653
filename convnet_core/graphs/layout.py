"""A layered layout: data flows along y, one layer a unit; x keeps crossings few. Uses grandalf (Sugiyama's method).

What would grow faster than the graph is done here or kept out of grandalf: the layers themselves, its search
for cycles, and edges that pass more layers than the graph can pay for, which are drawn straight.
"""

from __future__ import annotations

import contextlib
import itertools
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from grandalf.graphs import Edge, Vertex, graph_core
from grandalf.layouts import Layer, SugiyamaLayout, VertexViewer

Link = tuple[int, int]
Point = tuple[float, float]

_BENDS_A_NODE = 4
"""Bends that the long edges may have together, for each node; the longest edges beyond that are straight."""

_ROUNDS = 1.5
"""Passes over the layers (one: down and up) in which nodes are put in order; more gain little."""

_GAP, _WIDTH = 0.5, 0.5
"""Two nodes beside each other are a unit apart, a node and a bend less."""


@dataclass(frozen=True)
class Layout:
    """The place of each node, and the bends of the edges that pass other layers."""

    places: list[Point]
    bends: dict[Link, tuple[Point, ...]]


def lay_out(count: int, links: Sequence[Link]) -> Layout:
    """Places for nodes 0 … count - 1; the same for the same graph. Parts without a connection stand side by side."""
    links = [link for link in dict.fromkeys(links) if link[0] != link[1]]
    layers = layers_of(count, links)
    routed = _affordable(count, links, layers)
    places = [(0.0, 0.0)] * count
    bends: dict[Link, tuple[Point, ...]] = {}
    filled = [0.0] * (max(layers, default=0) + 1)  # how far to the right, layer by layer
    for part in _parts(count, routed):
        drawn = _draw(part, layers)
        span = range(min(layers[node] for node in drawn.nodes), max(layers[node] for node in drawn.nodes) + 1)
        shift = max(filled[layer] for layer in span) - drawn.left
        filled[span.start : span.stop] = [drawn.right + shift + 2 * _WIDTH] * len(span)
        for node, x in drawn.nodes.items():
            places[node] = (round(x + shift, 3), float(layers[node]))
        for link, xs in drawn.bends.items():
            first = layers[link[0]] + 1
            bends[link] = tuple((round(x + shift, 3), float(first + step)) for step, x in enumerate(xs))
    return Layout(places, bends)


def layers_of(count: int, links: Iterable[Link]) -> list[int]:
    """The layer of each node: below all that it reads from, and then as near as can be to its readers.

    Where links go round in a circle, one of them goes upwards.
    """
    before: list[list[int]] = [[] for _ in range(count)]
    after: list[list[int]] = [[] for _ in range(count)]
    for source, target in links:
        before[target].append(source)
        after[source].append(target)
    order = _in_order(before, after)
    turn = {node: position for position, node in enumerate(order)}
    layers = [0] * count
    for node in order:
        layers[node] = max((layers[other] + 1 for other in before[node] if turn[other] < turn[node]), default=0)
    for node in reversed(order):
        below = [layers[other] for other in after[node] if turn[other] > turn[node]]
        if below and len(below) >= len(before[node]):  # edges get shorter, on the whole
            layers[node] = min(below) - 1
    return layers


def _in_order(before: list[list[int]], after: list[list[int]]) -> list[int]:
    """The nodes, each after those it reads from; in a circle the first one goes first all the same."""
    waiting = [len(nodes) for nodes in before]
    order: list[int] = []
    seen = [False] * len(before)
    for first in [*(node for node, number in enumerate(waiting) if not number), *range(len(before))]:
        ready = [] if seen[first] else [first]
        while ready:
            node = ready.pop()
            seen[node] = True
            order.append(node)
            for other in after[node]:
                waiting[other] -= 1
                if not waiting[other] and not seen[other]:
                    ready.append(other)
    return order


def _affordable(count: int, links: list[Link], layers: list[int]) -> list[Link]:
    """The links that grandalf leads around other nodes: the shortest, as far as the bends go."""
    budget = _BENDS_A_NODE * count
    kept = set()
    for length, link in sorted((layers[target] - layers[source], (source, target)) for source, target in links):
        budget -= max(0, length - 1)
        if budget < 0:
            break
        if length > 0:
            kept.add(link)
    return [link for link in links if link in kept]


def _parts(count: int, links: list[Link]) -> Iterator[tuple[list[int], list[Link]]]:
    """The connected parts: their nodes, and their links in an order in which each touches one before it."""
    touching: list[list[Link]] = [[] for _ in range(count)]
    for link in links:
        for node in link:
            touching[node].append(link)
    seen: set[int] = set()
    for first in range(count):
        if first in seen:
            continue
        nodes, found = [first], dict.fromkeys(touching[first])
        seen.add(first)
        for node in nodes:  # grows while it is walked
            found.update(dict.fromkeys(touching[node]))
            fresh = dict.fromkeys(other for link in touching[node] for other in link if other not in seen)
            nodes.extend(fresh)
            seen.update(fresh)
        yield nodes, list(found)


# -- one connected part, by grandalf --------------------------------------------------------------


@dataclass(frozen=True)
class _Drawn:
    """x of each node, and of each bend of a link, layer by layer."""

    nodes: dict[int, float]
    bends: dict[Link, list[float]]

    @property
    def _all(self) -> list[float]:
        return [*self.nodes.values(), *(x for xs in self.bends.values() for x in xs)]

    @property
    def left(self) -> float:
        return min(self._all)

    @property
    def right(self) -> float:
        return max(self._all)


def _draw(part: tuple[list[int], list[Link]], layers: list[int]) -> _Drawn:
    nodes, links = part
    if not links:
        return _Drawn(dict.fromkeys(nodes, 0.0), {})
    vertices = {node: Vertex(node) for node in nodes}
    for vertex in vertices.values():
        vertex.view = VertexViewer(w=_WIDTH, h=0)
    edges = {link: _Edge(vertices[link[0]], vertices[link[1]]) for link in links}
    graph = graph_core([vertices[links[0][0]]])  # with all at once it takes quadratic time
    for edge in edges.values():
        graph.add_edge(edge)
    top = min(layers[node] for node in nodes)
    sugiyama = _Sugiyama(graph, {vertices[node]: layers[node] - top for node in nodes})
    sugiyama.init_all(roots=[], inverted_edges=[])
    with _recursion(4 * len(sugiyama.grx) + 1000):
        sugiyama.draw(_ROUNDS)
    sugiyama.part()
    bends = {
        link: [control[layer].view.xy[0] for layer in range(layers[link[0]] - top + 1, layers[link[1]] - top)]
        for link, edge in edges.items()
        if (control := sugiyama.ctrls.get(edge))
    }
    return _Drawn({node: vertex.view.xy[0] for node, vertex in vertices.items()}, bends)


class _Edge(Edge):  # type: ignore[misc]
    """An edge that is attached once; grandalf's own looks through all edges of its nodes first."""

    def attach(self) -> None:
        for vertex in self.v:
            vertex.e.append(self)


class _Sugiyama(SugiyamaLayout):  # type: ignore[misc]
    """grandalf's layout on layers that are given, without its quadratic parts."""

    def __init__(self, graph: graph_core, layer_of: dict[Vertex, int]) -> None:
        super().__init__(graph)
        self.xspace, self.yspace, self.dw, self.dh = _GAP, 1, 0, 0
        self._layer_of = layer_of

    def rank_all(self, roots: Any, optimize: bool = False) -> None:
        """Take the given layers; grandalf's own search looks through a list for each node."""
        self.layers = _Layers(Layer() for _ in range(max(self._layer_of.values()) + 1))
        for vertex in self.g.V():
            layer = self._layer_of[vertex]
            self.grx[vertex].rank = layer
            self.layers[layer].append(vertex)

    def part(self) -> None:
        """Move apart what stands too near in its layer: the four placements that grandalf averages may disagree."""
        for layer in self.layers:
            for left, right in itertools.pairwise(layer):
                apart = self.xspace + (left.view.w + right.view.w) / 2
                x, y = right.view.xy
                right.view.xy = (max(x, left.view.xy[0] + apart), y)

    def _detect_alignment_conflicts(self) -> None:
        super()._detect_alignment_conflicts()
        self.conflicts: frozenset[Any] = frozenset(self.conflicts)  # it is looked up for every node


class _Layers(list[Layer]):
    """The layers; grandalf asks for the number of each, from the first to the last."""

    def index(self, layer: Layer, *_: Any) -> int:
        self._asked = getattr(self, "_asked", -1) + 1
        assert self[self._asked] is layer
        return self._asked


@contextlib.contextmanager
def _recursion(limit: int) -> Iterator[None]:
    """grandalf places columns of nodes by recursion, as deep as one column leans on the next."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, limit))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
