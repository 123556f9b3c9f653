"""The figures of the Export page: the graph, and the histogram of a weight."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import chain, pairwise
from typing import Any

import plotly.graph_objects as go

from convnet_core.graphs.graph import Graph, Node, Statistics
from pages.charts import style as charts

_MARK = charts.COLOURS[4]
"""The chosen node and what a search found, in a colour that no operation has."""
_PLAIN = charts.COLOURS[-1]
_INK = {False: "#333333", True: "#E0E0E0"}
"""Labels on a light page and on a dark one."""
_COLOURS = [colour for colour in charts.COLOURS if colour not in (_MARK, _PLAIN)]
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "hexagon", "star")
"""Five colours and six symbols go round together: 30 kinds of nodes that differ in one of the two, mostly in both."""

_SPACE = 6 * "\N{NO-BREAK SPACE}"
"""Between a node and its label; Plotly drops plain spaces."""

_SVG = 3000
"""Nodes up to which plain SVG is fast enough; WebGL, for more, is not in every browser."""
_LAYERS, _UNITS = 14, 8
"""What is seen of a graph at once, so that it can be read; one layer is a unit high."""
_NAMED = 5
"""Units, up to which there is room for names and shapes beside the nodes."""
_LABELLED = 3
"""Windows to each side of what is seen, in which nodes have labels: further away one has to point at them."""


@dataclass(frozen=True)
class _View:
    """A part of the plane, around its middle."""

    x: float
    y: float
    width: float
    height: float

    def has(self, node: Node, times: float = 1) -> bool:
        """Whether the node is in this part, or in one so many times as large."""
        return abs(node.x - self.x) <= times * self.width / 2 and abs(node.y - self.y) <= times * self.height / 2


def _extent(graph: Graph) -> tuple[float, float]:
    """How wide and how high a graph is, with some room around it and for the labels on its right."""
    return max([node.x for node in graph.nodes], default=0) + 3, max([node.y for node in graph.nodes], default=0) + 1


def fits(graph: Graph) -> bool:
    """Whether the graph can be read without zooming."""
    width, height = _extent(graph)
    return width <= _UNITS and height <= _LAYERS


def _view(graph: Graph, focus: Node | None, *, whole: bool) -> _View:
    """All of the graph, or what can be read around a node; without one, where the data enters."""
    width, height = _extent(graph)
    shown = (width, height) if whole else (min(width, _UNITS), min(height, _LAYERS))
    at = (focus.x, focus.y) if focus else (graph.nodes[0].x if graph.nodes else 0.0, 0.0)
    x, y = (
        min(max(place, low + part / 2), low + size - part / 2)
        for place, low, size, part in zip(at, (-1.0, -0.5), (width, height), shown, strict=True)
    )
    return _View(x, y, *shown)


def draw(
    graph: Graph, hits: Sequence[Node], marked: str | None, *, whole: bool = False, dark: bool = False
) -> go.Figure:
    """The graph: edges, what a search found, the nodes by operation, the marked one selected.

    What is seen first lies around the marked node, else around the first that was found.
    """
    focus = graph.by_id[marked] if marked else next(iter(hits), None)
    view = _view(graph, focus, whole=whole)
    close = fits(graph) or not whole
    picture = go.Figure(_edges(graph))
    if close:
        near = [node for node in graph.nodes if view.has(node, _LABELLED)]
        picture.add_trace(_labels(near, _INK[dark], short=view.width > _NAMED))
        if view.width <= _NAMED:
            picture.add_trace(_shapes(graph, near))
    if hits:
        picture.add_trace(_found(hits, 26 if close else 14))
    scatter = go.Scatter if len(graph.nodes) <= _SVG else go.Scattergl
    size = 16 if close else 6
    kinds = _kinds(graph)
    for (title, colour, symbol), nodes in kinds:
        picture.add_trace(
            scatter(
                x=[node.x for node in nodes],
                y=[node.y for node in nodes],
                customdata=[node.id for node in nodes],
                mode="markers",
                name=title,
                marker={"color": colour, "symbol": symbol, "size": size},
                selected={"marker": {"color": _MARK, "size": size + 8}},
                unselected={"marker": {"opacity": 1, "size": size, "color": colour}},
                selectedpoints=[index for index, node in enumerate(nodes) if node.id == marked] if marked else None,
                hovertext=[f"<b>{escape(node.op)}</b><br>{escape(node.id)}" for node in nodes],
                hoverinfo="text",
            )
        )
    return _framed(picture, view, len(kinds))


def _edges(graph: Graph) -> go.Scatter:
    """All edges as one line with gaps."""
    points = list(chain.from_iterable((*graph.path(edge), (None, None)) for edge in graph.edges))
    return go.Scatter(
        x=[x for x, _ in points],
        y=[y for _, y in points],
        mode="lines",
        line={"color": "rgba(128,128,128,0.6)", "width": 1.5},
        hoverinfo="skip",
        showlegend=False,
    )


def _found(hits: Sequence[Node], size: int) -> go.Scatter:
    """A ring around each node that a search found."""
    return go.Scatter(
        x=[node.x for node in hits],
        y=[node.y for node in hits],
        mode="markers",
        name=f"found ({len(hits)})",
        marker={"color": "rgba(0,0,0,0)", "size": size, "line": {"color": _MARK, "width": 3}},
        hoverinfo="skip",
    )


def _kinds(graph: Graph) -> list[tuple[tuple[str, str, str], list[Node]]]:
    """The nodes by operation, the most frequent first, each with its title, colour and symbol.

    What is left when colours and symbols run out shares one.
    """
    looks = len(_COLOURS) * len(_SYMBOLS)
    counts = Counter(node.op for node in graph.nodes if node.kind == "op").most_common()
    styles = {("input", "Input"): (_PLAIN, "triangle-down")}
    for index, (op, _) in enumerate(counts[:looks]):
        styles["op", op] = (_COLOURS[index % len(_COLOURS)], _SYMBOLS[index % len(_SYMBOLS)])
    rest = ("rest", "other operations")
    styles |= {rest: (_PLAIN, "x"), ("output", "Output"): (_PLAIN, "triangle-down-open")}
    groups: dict[tuple[str, str], list[Node]] = {kind: [] for kind in styles}
    for node in graph.nodes:
        groups[kind if (kind := (node.kind, node.op)) in styles else rest].append(node)
    return [((f"{kind[1]} ({len(nodes)})", *styles[kind]), nodes) for kind, nodes in groups.items() if nodes]


def _labels(nodes: Sequence[Node], colour: str, *, short: bool) -> go.Scatter:
    """Operation and, where there is room, name beside each node."""
    names = ["" if short else f" {escape(_shortened(node.id))}" for node in nodes]
    lines = [(node.x, node.y, f"<b>{escape(node.op)}</b>{name}") for node, name in zip(nodes, names, strict=True)]
    return _texts(lines, {"color": colour, "size": 12})


def _shapes(graph: Graph, near: Sequence[Node]) -> go.Scatter:
    """What flows along the edges: the shape of each tensor, beside the first edge that carries it."""
    makers = {node.id for node in near}
    first = {edge.tensor: edge for edge in reversed(graph.edges) if edge.source in makers}
    lines = []
    for tensor, edge in zip(graph.tensors_of(first), first.values(), strict=True):
        (x, y), (to_x, to_y) = graph.path(edge)[:2]
        if tensor.shape is not None:
            lines.append(((x + to_x) / 2, (y + to_y) / 2, _shortened(tensor.shape_text)))
    return _texts(lines, {"color": _PLAIN, "size": 11})


def _texts(lines: list[tuple[float, float, str]], font: dict[str, Any]) -> go.Scatter:
    """Texts to the right of points; Plotly pales those of unselected points unless their colour is said twice."""
    return go.Scatter(
        x=[x for x, _, _ in lines],
        y=[y for _, y, _ in lines],
        text=[_SPACE + text for _, _, text in lines],
        mode="text",
        textposition="middle right",
        hoverinfo="skip",
        showlegend=False,
        textfont=font,
        unselected={"textfont": {"color": font["color"]}},
    )


def _shortened(text: str) -> str:
    return text if len(text) <= 28 else f"{text[:27]}…"


def _framed(picture: go.Figure, view: _View, kinds: int) -> go.Figure:
    """The figure without axes, as high as its layers and its legend need."""
    picture.update_xaxes(visible=False, range=(view.x - view.width / 2, view.x + view.width / 2))
    picture.update_yaxes(visible=False, range=(view.y + view.height / 2, view.y - view.height / 2))
    plot = max(120, min(640, 62 * view.height))
    charts.styled(picture, "", "", height=int(plot + 60 + 20 * (kinds // 3)), dragmode="pan", hovermode="closest")
    picture.update_layout(legend={"y": -0.02})
    return picture


def histogram(found: Statistics) -> go.Figure:
    """How the values of a weight are spread."""
    edges = found.edges
    bars = go.Bar(
        x=[(low + high) / 2 for low, high in pairwise(edges)],
        y=found.counts,
        width=(found.high - found.low) / len(found.counts),
        marker={"color": charts.COLOURS[0], "line": {"width": 0}},
        hovertemplate="about %{x:.4g}: %{y} values<extra></extra>",
    )
    return charts.styled(go.Figure(bars), "value", "values in the bin", height=220, bargap=0)
