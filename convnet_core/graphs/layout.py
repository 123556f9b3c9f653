"""A layered layout: data flows along y, one unit per layer; x minimizes crossings and keeps long edges straight.

Sugiyama's method: layers, order within the layers by barycenters, and positions by Brandes and Köpf, "Fast and Simple
Horizontal Coordinate Assignment" (2001). To keep the time linear in the size of the graph, edges across too many layers
are not routed around the nodes.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from convnet_core.graphs.columns import Grid, place

Link = tuple[int, int]
Point = tuple[float, float]

_BENDS_PER_NODE = 4
"""Total number of bends per node; the longest edges beyond that have none."""

_GAP, _WIDTH = 0.5, 0.5
"""Gap between neighbors and width of a node: neighboring nodes are one unit apart, a node and a bend less."""


@dataclass(frozen=True)
class Layout:
    """The position of each node, and the bends of the edges that cross other layers."""

    positions: list[Point]
    bends: dict[Link, tuple[Point, ...]]


def lay_out(
    count: int,
    links: Sequence[Link],
    widths: Sequence[float] | None = None,
    gap: float = _GAP,
    *,
    first: Collection[int] = (),
    last: Collection[int] = (),
) -> Layout:
    """Positions for the nodes 0 … count - 1; deterministic. Disconnected parts are next to each other.

    x is the center of a node. `first` and `last` are nodes to put into the first and the last layer.
    """
    widths = widths or [_WIDTH] * count
    links = [link for link in dict.fromkeys(links) if link[0] != link[1]]
    layers = layers_of(count, links)
    for nodes, layer in ((first, 0), (last, max(layers, default=0))):
        for node in nodes:
            layers[node] = layer
    routed = _links_to_route(count, links, layers)
    xs = [0.0] * count
    bends: dict[Link, list[float]] = {}
    filled = [0.0] * (max(layers, default=0) + 1)  # right edge of what is placed so far, per layer
    for part in _parts(count, routed):
        placed = _place_part(part, layers, widths, gap)
        span = range(placed.top, placed.top + placed.height)
        shift = max(filled[layer] for layer in span) - placed.left
        filled[span.start : span.stop] = [placed.right + shift + gap] * len(span)
        for node, x in placed.nodes.items():
            xs[node] = x + shift
        for link, row in placed.bends.items():
            bends[link] = [x + shift for x in row]
    left = min((*xs, *(x for row in bends.values() for x in row)), default=0.0)
    return Layout(
        [(round(x - left, 3), float(layer)) for x, layer in zip(xs, layers, strict=True)],
        {
            link: tuple((round(x - left, 3), float(layers[link[0]] + step)) for step, x in enumerate(row, 1))
            for link, row in bends.items()
        },
    )


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
    """The links to route around nodes: the shortest ones, within the total number of bends."""
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


@dataclass(frozen=True)
class _Placed:
    """A connected part: the x of each node and of each bend, its edges to the left and right, and its layers."""

    nodes: dict[int, float]
    bends: dict[Link, list[float]]
    left: float
    right: float
    top: int
    height: int


def _place_part(
    part: tuple[list[int], list[Link]], layers: Sequence[int], widths: Sequence[float], gap: float
) -> _Placed:
    """Order the nodes of a part and place them; each bend is a node without a width."""
    nodes, links = part
    number = {node: index for index, node in enumerate(nodes)}
    top = min(layers[node] for node in nodes)
    rows: list[list[int]] = [[] for _ in range(max(layers[node] for node in nodes) - top + 1)]
    for node in nodes:
        rows[layers[node] - top].append(number[node])
    sizes = [widths[node] for node in nodes]
    pairs: list[Link] = []
    dummies: dict[Link, range] = {}
    for source, target in links:
        between = range(len(sizes), len(sizes) + layers[target] - layers[source] - 1)
        for step, dummy in enumerate(between, layers[source] + 1):
            rows[step - top].append(dummy)
        sizes += [0.0] * len(between)
        way = [number[source], *between, number[target]]
        pairs += itertools.pairwise(way)
        if between:
            dummies[source, target] = between
    grid = Grid(rows, pairs, len(sizes), first_dummy=len(nodes))
    xs = place(grid, sizes, gap)
    return _Placed(
        dict(zip(nodes, xs, strict=False)),
        {link: [xs[dummy] for dummy in between] for link, between in dummies.items()},
        min(x - size / 2 for x, size in zip(xs, sizes, strict=True)),
        max(x + size / 2 for x, size in zip(xs, sizes, strict=True)),
        top,
        len(rows),
    )
