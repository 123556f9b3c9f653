"""The figures on the Export page: the graph and the histogram of a weight."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import chain, pairwise
from typing import Any

import plotly.graph_objects as go

from convnet_core.graphs.graph import Graph, Node, Statistics
from pages.charts import style as charts

_MARK = charts.COLORS[4]
"""The color of the selected node and of search results; no operator uses it."""
_PLAIN = charts.COLORS[-1]
_INK = {False: "#333333", True: "#E0E0E0"}
"""Label colors on a light page (False) and on a dark one (True)."""
_COLORS = [color for color in charts.COLORS if color not in (_MARK, _PLAIN)]
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "hexagon", "star")
"""Five colors and six symbols cycle together, which gives 30 distinct combinations."""

_SPACE = 6 * "\N{NO-BREAK SPACE}"
"""Space between a node and its label; Plotly drops ordinary spaces."""

_SVG = 3000
"""Up to this many nodes, SVG is fast enough. Larger graphs use WebGL, which not every browser supports."""
_LAYERS, _UNITS = 14, 8
"""Height and width of a readable view; one layer is one unit high."""
_NAMED_UNITS = 5
"""Views up to this width have room for names and shapes beside the nodes."""
_LABELED_WINDOWS = 3
"""Nodes within this many times the view have labels; others show a tooltip."""


@dataclass(frozen=True)
class _View:
    """A rectangle, given by its center."""

    x: float
    y: float
    width: float
    height: float

    def has(self, node: Node, times: float = 1) -> bool:
        """Whether the node is in this view, or in one `times` as large."""
        return abs(node.x - self.x) <= times * self.width / 2 and abs(node.y - self.y) <= times * self.height / 2


def _extent(graph: Graph) -> tuple[float, float]:
    """Width and height of the graph, with a margin and room for labels on the right."""
    return max([node.x for node in graph.nodes], default=0) + 3, max([node.y for node in graph.nodes], default=0) + 1


def fits(graph: Graph) -> bool:
    """Whether the graph is readable without zooming."""
    width, height = _extent(graph)
    return width <= _UNITS and height <= _LAYERS


def _view(graph: Graph, focus: Node | None, *, whole: bool) -> _View:
    """The whole graph, or a readable part around `focus` or, without one, around the inputs."""
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
    """The graph: edges, search results, and the nodes by operator with the marked one selected.

    The first view is around the marked node, else around the first search result.
    """
    focus = graph.by_id[marked] if marked else next(iter(hits), None)
    view = _view(graph, focus, whole=whole)
    close = fits(graph) or not whole
    picture = go.Figure(edges(graph.path(edge) for edge in graph.edges))
    if close:
        near = [node for node in graph.nodes if view.has(node, _LABELED_WINDOWS)]
        picture.add_trace(_labels(near, _INK[dark], short=view.width > _NAMED_UNITS))
        if view.width <= _NAMED_UNITS:
            picture.add_trace(_shapes(graph, near))
    if hits:
        points = [(node.x, node.y) for node in hits]
        picture.add_trace(rings(points, 26 if close else 14, f"found ({len(hits)})"))
    scatter = go.Scatter if len(graph.nodes) <= _SVG else go.Scattergl
    size = 16 if close else 6
    groups = _group_by_operator(graph)
    for (title, color, symbol), nodes in groups:
        picture.add_trace(
            scatter(
                x=[node.x for node in nodes],
                y=[node.y for node in nodes],
                customdata=[node.id for node in nodes],
                mode="markers",
                name=title,
                marker={"color": color, "symbol": symbol, "size": size},
                selected={"marker": {"color": _MARK, "size": size + 8}},
                unselected={"marker": {"opacity": 1, "size": size, "color": color}},
                selectedpoints=[index for index, node in enumerate(nodes) if node.id == marked] if marked else None,
                hovertext=[f"<b>{escape(node.op)}</b><br>{escape(node.id)}" for node in nodes],
                hoverinfo="text",
            )
        )
    return _frame_figure(picture, view, len(groups))


def edges(paths: Iterable[Sequence[tuple[float, float]]]) -> go.Scatter:
    """All edges as a single line with gaps."""
    points = list(chain.from_iterable((*path, (None, None)) for path in paths))
    return go.Scatter(
        x=[x for x, _ in points],
        y=[y for _, y in points],
        mode="lines",
        line={"color": "rgba(128,128,128,0.6)", "width": 1.5},
        hoverinfo="skip",
        showlegend=False,
    )


def rings(points: Sequence[tuple[float, float]], size: int, name: str = "") -> go.Scatter:
    """A ring around each point; `name` is for the legend."""
    return go.Scatter(
        x=[x for x, _ in points],
        y=[y for _, y in points],
        mode="markers",
        name=name,
        marker={"color": "rgba(0,0,0,0)", "size": size, "line": {"color": _MARK, "width": 3}},
        hoverinfo="skip",
    )


def _group_by_operator(graph: Graph) -> list[tuple[tuple[str, str, str], list[Node]]]:
    """The nodes by operator, the most frequent first, each group with a title, color and symbol.

    What is left when colors and symbols run out shares one.
    """
    combinations = len(_COLORS) * len(_SYMBOLS)
    counts = Counter(node.op for node in graph.nodes if node.kind == "op").most_common()
    styles = {("input", "Input"): (_PLAIN, "triangle-down")}
    for index, (op, _) in enumerate(counts[:combinations]):
        styles["op", op] = (_COLORS[index % len(_COLORS)], _SYMBOLS[index % len(_SYMBOLS)])
    rest = ("rest", "other operators")
    styles |= {rest: (_PLAIN, "x"), ("output", "Output"): (_PLAIN, "triangle-down-open")}
    groups: dict[tuple[str, str], list[Node]] = {kind: [] for kind in styles}
    for node in graph.nodes:
        groups[kind if (kind := (node.kind, node.op)) in styles else rest].append(node)
    return [((f"{kind[1]} ({len(nodes)})", *styles[kind]), nodes) for kind, nodes in groups.items() if nodes]


def _labels(nodes: Sequence[Node], color: str, *, short: bool) -> go.Scatter:
    """The operator and, if there is room, the name beside each node."""
    names = ["" if short else f" {escape(_shorten(node.id))}" for node in nodes]
    lines = [(node.x, node.y, f"<b>{escape(node.op)}</b>{name}") for node, name in zip(nodes, names, strict=True)]
    return _text_trace(lines, {"color": color, "size": 12})


def _shapes(graph: Graph, near: Sequence[Node]) -> go.Scatter:
    """The shape of each tensor, beside the first edge that carries it."""
    sources = {node.id for node in near}
    first = {edge.tensor: edge for edge in reversed(graph.edges) if edge.source in sources}
    lines = []
    for tensor, edge in zip(graph.tensors_of(first), first.values(), strict=True):
        (x, y), (to_x, to_y) = graph.path(edge)[:2]
        if tensor.shape is not None:
            lines.append(((x + to_x) / 2, (y + to_y) / 2, _shorten(tensor.shape_text)))
    return _text_trace(lines, {"color": _PLAIN, "size": 11})


def _text_trace(lines: list[tuple[float, float, str]], font: dict[str, Any]) -> go.Scatter:
    """Text to the right of points. The color is set twice because Plotly fades text of unselected points."""
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


def _shorten(text: str) -> str:
    return text if len(text) <= 28 else f"{text[:27]}…"


def _frame_figure(picture: go.Figure, view: _View, kinds: int) -> go.Figure:
    """Remove the axes and set the height for the layers and the legend."""
    picture.update_xaxes(visible=False, range=(view.x - view.width / 2, view.x + view.width / 2))
    picture.update_yaxes(visible=False, range=(view.y + view.height / 2, view.y - view.height / 2))
    plot = max(120, min(640, 62 * view.height))
    charts.style_figure(picture, "", "", height=int(plot + 60 + 20 * (kinds // 3)), dragmode="pan", hovermode="closest")
    picture.update_layout(legend={"y": -0.02})
    return picture


def histogram(statistics: Statistics) -> go.Figure:
    """The distribution of a weight's values."""
    edges = statistics.edges
    bars = go.Bar(
        x=[(low + high) / 2 for low, high in pairwise(edges)],
        y=statistics.counts,
        width=(statistics.high - statistics.low) / len(statistics.counts),
        marker={"color": charts.COLORS[0], "line": {"width": 0}},
        hovertemplate="about %{x:.4g}: %{y} values<extra></extra>",
    )
    return charts.style_figure(go.Figure(bars), "value", "values in the bin", height=220, bargap=0)
