"""The figures on the Dissect page: two graphs colored by error, and error histograms."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import plotly.graph_objects as go

from convnet_core.dissect.measurements import NodeError
from convnet_core.dissect.report.report_file import Picture, PictureNode
from convnet_core.dissect.report.svg_graph import error_color, error_text
from pages.charts import style as charts
from pages.charts.graph import edges, rings

_MOST_LABELED = 40
"""Graphs with more nodes than this have no labels."""


def graph(picture: Picture, errors: Mapping[str, float | None], chosen: str | None, *, dark: bool) -> go.Figure:
    """A graph from top to bottom. Colors show the error of the ONNX node; rings mark the chosen one."""
    nodes = picture.nodes
    figure = go.Figure(edges([(nodes[end].x, nodes[end].y) for end in edge] for edge in picture.edges))
    figure.add_trace(rings([(node.x, node.y) for node in nodes if node.node == chosen], 26))
    has_labels = len(nodes) <= _MOST_LABELED
    figure.add_trace(
        go.Scatter(
            x=[node.x for node in nodes],
            y=[node.y for node in nodes],
            customdata=[node.node for node in nodes],
            mode="markers+text" if has_labels else "markers",
            text=[f"\u2002{node.label}" for node in nodes],  # beside the ring
            textposition="middle right",
            textfont={"color": "#E0E0E0" if dark else "#333333"},
            marker={
                "size": 14 if has_labels else 7,
                "color": [error_color(errors.get(node.node)) for node in nodes],
                "line": {"width": 1, "color": "#888888"},
            },
            hovertext=[_hover(node, errors.get(node.node)) for node in nodes],
            hoverinfo="text",
        )
    )
    height = min(900, max(360, 44 * (1 + max((node.y for node in nodes), default=0))))
    figure.update_layout(height=height, margin={"l": 10, "r": 10, "t": 10, "b": 10}, showlegend=False, dragmode="pan")
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False, autorange="reversed")
    if has_labels and nodes:
        left, right = min(node.x for node in nodes), max(node.x for node in nodes)
        figure.update_xaxes(range=[left - 1, right + 2.5])
    return figure


def _hover(node: PictureNode, error: float | None) -> str:
    return f"<b>{escape(node.label)}</b><br>{escape(node.id)}<br>{error_text(error)}"


def histogram(errors: Mapping[str, NodeError]) -> go.Figure:
    """The distribution of errors, a line for each runtime."""
    figure = go.Figure()
    for runtime, error in errors.items():
        counts = error.whole.histogram
        step = 12 / len(counts)
        x = [10 ** (-12 + step * (index + 0.5)) for index in range(len(counts))]
        figure.add_trace(go.Scatter(x=x, y=counts, name=runtime, mode="lines", line=charts.line_of(runtime)))
    figure.update_xaxes(type="log", exponentformat="power")
    figure.update_yaxes(type="log")
    return charts.style_figure(figure, "error, as a fraction of the range", "values", height=300)
