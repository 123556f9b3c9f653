"""A layered layout: data flows along y, one unit per layer; x minimizes crossings. Uses grandalf (Sugiyama's method).

To keep the time linear in the size of the graph, this module assigns the layers itself, skips grandalf's search for
cycles, and draws edges across too many layers as straight lines.
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

_BENDS_PER_NODE = 4
"""Total number of bends per node; the longest edges beyond that are straight."""

_ROUNDS = 1.5
"""Passes over the layers (one: down and up) that order the nodes; more passes gain little."""

_GAP, _WIDTH = 0.5, 0.5
"""Gap between neighbors and width of a node: neighboring nodes are one unit apart, a node and a bend less."""


@dataclass(frozen=True)
class Layout:
    """The position of each node, and the bends of the edges that cross other layers."""

    positions: list[Point]
    bends: dict[Link, tuple[Point, ...]]


def lay_out(count: int, links: Sequence[Link]) -> Layout:
    """Positions for the nodes 0 … count - 1; deterministic. Disconnected parts are next to each other."""
    links = [link for link in dict.fromkeys(links) if link[0] != link[1]]
    layers = layers_of(count, links)
    routed = _links_to_route(count, links, layers)
    positions = [(0.0, 0.0)] * count
    bends: dict[Link, tuple[Point, ...]] = {}
    filled = [0.0] * (max(layers, default=0) + 1)  # right edge of what is placed so far, per layer
    for part in _parts(count, routed):
        part_layout = _lay_out_part(part, layers)
        part_layers = [layers[node] for node in part_layout.nodes]
        span = range(min(part_layers), max(part_layers) + 1)
        shift = max(filled[layer] for layer in span) - part_layout.left
        filled[span.start : span.stop] = [part_layout.right + shift + 2 * _WIDTH] * len(span)
        for node, x in part_layout.nodes.items():
            positions[node] = (round(x + shift, 3), float(layers[node]))
        for link, xs in part_layout.bends.items():
            first = layers[link[0]] + 1
            bends[link] = tuple((round(x + shift, 3), float(first + step)) for step, x in enumerate(xs))
    return Layout(positions, bends)


def layers_of(count: int, links: Iterable[Link]) -> list[int]:
    """The layer of each node: below all nodes that it reads from, and as close as possible to its readers.

    In a cycle, one link points up.
    """
    before: list[list[int]] = [[] for _ in range(count)]
    after: list[list[int]] = [[] for _ in range(count)]
    for source, target in links:
        before[target].append(source)
        after[source].append(target)
    order = _topological_order(before, after)
    rank = {node: index for index, node in enumerate(order)}
    layers = [0] * count
    for node in order:
        layers[node] = max((layers[other] + 1 for other in before[node] if rank[other] < rank[node]), default=0)
    for node in reversed(order):
        below = [layers[other] for other in after[node] if rank[other] > rank[node]]
        if below and len(below) >= len(before[node]):  # shortens the edges in total
            layers[node] = min(below) - 1
    return layers


def _topological_order(before: list[list[int]], after: list[list[int]]) -> list[int]:
    """The nodes, each after those it reads from; a cycle starts at its first node."""
    missing = [len(nodes) for nodes in before]
    order: list[int] = []
    seen = [False] * len(before)
    for first in [*(node for node, number in enumerate(missing) if not number), *range(len(before))]:
        ready = [] if seen[first] else [first]
        while ready:
            node = ready.pop()
            seen[node] = True
            order.append(node)
            for other in after[node]:
                missing[other] -= 1
                if not missing[other] and not seen[other]:
                    ready.append(other)
    return order


def _links_to_route(count: int, links: list[Link], layers: list[int]) -> list[Link]:
    """The links for grandalf to route around nodes: the shortest ones, within the total number of bends."""
    budget = _BENDS_PER_NODE * count
    routed = set()
    for length, link in sorted((layers[target] - layers[source], (source, target)) for source, target in links):
        budget -= max(0, length - 1)
        if budget < 0:
            break
        if length > 0:
            routed.add(link)
    return [link for link in links if link in routed]


def _parts(count: int, links: list[Link]) -> Iterator[tuple[list[int], list[Link]]]:
    """The connected parts: their nodes, and their links, each of which touches an earlier one."""
    touching: list[list[Link]] = [[] for _ in range(count)]
    for link in links:
        for node in link:
            touching[node].append(link)
    seen: set[int] = set()
    for first in range(count):
        if first in seen:
            continue
        nodes, part_links = [first], dict.fromkeys(touching[first])
        seen.add(first)
        for node in nodes:  # the loop extends `nodes`
            part_links.update(dict.fromkeys(touching[node]))
            neighbors = dict.fromkeys(other for link in touching[node] for other in link if other not in seen)
            nodes.extend(neighbors)
            seen.update(neighbors)
        yield nodes, list(part_links)


# -- one connected part, by grandalf --------------------------------------------------------------


@dataclass(frozen=True)
class _PartLayout:
    """The x of each node, and of each bend of a link from layer to layer."""

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


def _lay_out_part(part: tuple[list[int], list[Link]], layers: list[int]) -> _PartLayout:
    nodes, links = part
    if not links:
        return _PartLayout(dict.fromkeys(nodes, 0.0), {})
    vertices = {node: Vertex(node) for node in nodes}
    for vertex in vertices.values():
        vertex.view = VertexViewer(w=_WIDTH, h=0)
    edges = {link: _Edge(vertices[link[0]], vertices[link[1]]) for link in links}
    graph = graph_core([vertices[links[0][0]]])  # passing all vertices takes quadratic time
    for edge in edges.values():
        graph.add_edge(edge)
    top = min(layers[node] for node in nodes)
    sugiyama = _Sugiyama(graph, {vertices[node]: layers[node] - top for node in nodes})
    sugiyama.init_all(roots=[], inverted_edges=[])
    with _recursion(4 * len(sugiyama.grx) + 1000):
        sugiyama.draw(_ROUNDS)
    sugiyama.separate()
    bends = {
        link: [control[layer].view.xy[0] for layer in range(layers[link[0]] - top + 1, layers[link[1]] - top)]
        for link, edge in edges.items()
        if (control := sugiyama.ctrls.get(edge))
    }
    return _PartLayout({node: vertex.view.xy[0] for node, vertex in vertices.items()}, bends)


class _Edge(Edge):  # type: ignore[misc]
    """An edge with a fast `attach`; grandalf's own searches all edges of its nodes first."""

    def attach(self) -> None:
        for vertex in self.v:
            vertex.e.append(self)


class _Sugiyama(SugiyamaLayout):  # type: ignore[misc]
    """grandalf's layout with given layers, without its quadratic parts."""

    def __init__(self, graph: graph_core, layer_of: dict[Vertex, int]) -> None:
        super().__init__(graph)
        self.xspace, self.yspace, self.dw, self.dh = _GAP, 1, 0, 0
        self._layer_of = layer_of

    def rank_all(self, roots: Any, optimize: bool = False) -> None:
        """Use the given layers; grandalf's own method searches a list for each node."""
        self.layers = _Layers(Layer() for _ in range(max(self._layer_of.values()) + 1))
        for vertex in self.g.V():
            layer = self._layer_of[vertex]
            self.grx[vertex].rank = layer
            self.layers[layer].append(vertex)

    def separate(self) -> None:
        """Move apart neighbors that are too close: grandalf averages four placements, which may disagree."""
        for layer in self.layers:
            for left, right in itertools.pairwise(layer):
                distance = self.xspace + (left.view.w + right.view.w) / 2
                x, y = right.view.xy
                right.view.xy = (max(x, left.view.xy[0] + distance), y)

    def _detect_alignment_conflicts(self) -> None:
        super()._detect_alignment_conflicts()
        self.conflicts: frozenset[Any] = frozenset(self.conflicts)  # grandalf searches it for every node


class _Layers(list[Layer]):
    """The layers, with a fast `index`: grandalf calls it for each layer in order."""

    def index(self, layer: Layer, *_: Any) -> int:
        self._last_index = getattr(self, "_last_index", -1) + 1
        assert self[self._last_index] is layer
        return self._last_index


@contextlib.contextmanager
def _recursion(limit: int) -> Iterator[None]:
    """Raise the recursion limit: grandalf places columns of nodes recursively, each after those it depends on."""
    previous = sys.getrecursionlimit()
    sys.setrecursionlimit(max(previous, limit))
    try:
        yield
    finally:
        sys.setrecursionlimit(previous)
