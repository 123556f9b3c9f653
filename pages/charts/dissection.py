"""The figures on the Dissect page: two graphs colored by error, and error histograms."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from math import log10

import plotly.graph_objects as go

from convnet_core.dissect.difference import ALLOWED
from convnet_core.dissect.measurements import NodeError
from convnet_core.dissect.report.report_file import Picture, PictureNode
from convnet_core.dissect.report.svg_graph import HIGH, LOW, SCALE, error_color, error_text
from convnet_core.runtimes.specs import spec_of
from pages.charts import style as charts
from pages.charts.graph import edges, rings

_MOST_LABELED = 80
"""Graphs with more nodes than this have no labels."""
_LAYER = {False: 18, True: 44}
"""Pixels between the layers of a large graph, and of one with few layers."""
_MOST_LAYERS = 16


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
    figure.add_trace(_color_bar())
    layers = 1 + max((node.y for node in nodes), default=0)
    height = 66 + min(1200, max(280, _LAYER[layers <= _MOST_LAYERS] * layers))
    figure.update_layout(height=height, margin={"l": 10, "r": 10, "t": 66, "b": 10}, showlegend=False, dragmode="pan")
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False, autorange="reversed")
    if has_labels and nodes:
        left, right = min(node.x for node in nodes), max(node.x for node in nodes)
        figure.update_xaxes(range=[left - 1, right + 2.5])
    return figure


def _color_bar() -> go.Scatter:
    """Draws no point: it is there for its color bar, above the graph."""
    powers = range(int(LOW), int(HIGH) + 1)
    return go.Scatter(
        x=[None],
        y=[None],
        mode="markers",
        hoverinfo="skip",
        marker={
            "color": [LOW],
            "cmin": LOW,
            "cmax": HIGH,
            "colorscale": SCALE,
            "showscale": True,
            "colorbar": {
                "orientation": "h",
                "y": 1,
                "yanchor": "bottom",
                "thickness": 10,
                "title": {"text": "error, as a fraction of the value's range (log scale)", "side": "top"},
                "tickvals": list(powers),
                "ticktext": [f"10<sup>{power}</sup>" for power in powers],
            },
        },
    )


def _hover(node: PictureNode, error: float | None) -> str:
    return f"<b>{escape(node.label)}</b><br>{escape(node.id)}<br>{error_text(error)}"


def histogram(errors: Mapping[str, NodeError]) -> go.Figure:
    """The distribution of errors, a line for each runtime, and what each precision may add at a node."""
    figure = go.Figure()
    for runtime, error in errors.items():
        counts = error.whole.histogram
        step = 12 / len(counts)
        x = [10 ** (-12 + step * (index + 0.5)) for index in range(len(counts))]
        figure.add_trace(go.Scatter(x=x, y=counts, name=runtime, mode="lines", line=charts.line_of(runtime)))
    for precision in dict.fromkeys(spec_of(runtime).precision for runtime in errors):
        limit = ALLOWED[precision]
        figure.add_vline(limit, line={"color": "#888888", "dash": "dash"})
        figure.add_annotation(x=log10(limit), y=1, yref="paper", yanchor="bottom", text=precision, showarrow=False)
    figure.update_xaxes(type="log", exponentformat="power")
    figure.update_yaxes(type="log")
    return charts.style_figure(figure, "error, as a fraction of the range", "values", height=330)
