"""The two graphs of a dissection as SVG, colored by error, for a page without scripts. Imports nothing heavy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape

from convnet_core.dissect.report.report_file import Picture, PictureNode

_ACROSS, _DOWN, _MARGIN = 120, 44, 24
_RADIUS = 8
_LOW, _HIGH = -8.0, -2.0
"""log10 of the smallest and the largest error on the color scale."""
_STOPS = ((158, 202, 225), (253, 217, 124), (215, 48, 31))
_NOTHING = "#bbbbbb"
_MOST_LABELS = 200
"""The most nodes to label."""


def render_graph(picture: Picture, errors: Mapping[str, float | None], places: Mapping[str, int], title: str) -> str:
    """A graph from top to bottom. A node is colored by its ONNX node's error, and has the class n<place> and a link to
    #n<place>: a click in one graph highlights the node in both.
    """
    nodes = picture.nodes
    if not nodes:
        return ""
    at = [(_MARGIN + _ACROSS * node.x, _MARGIN + _DOWN * node.y) for node in nodes]
    left = min(x for x, _ in at) - _MARGIN
    width, height = max(x for x, _ in at) - left + _ACROSS, max(y for _, y in at) + _MARGIN
    lines = "".join(
        f'<line x1="{at[a][0]:g}" y1="{at[a][1]:g}" x2="{at[b][0]:g}" y2="{at[b][1]:g}"/>' for a, b in picture.edges
    )
    circles = "".join(
        _node(node, x, y, errors.get(node.node), places.get(node.node), len(nodes) <= _MOST_LABELS)
        for node, (x, y) in zip(nodes, at, strict=True)
    )
    return (
        f'<svg role="img" aria-label="The graph in {escape(title)}" width="{width:g}" height="{height:g}" '
        f'viewBox="{left:g} 0 {width:g} {height:g}"><g stroke="#888888">{lines}</g>{circles}</svg>'
    )


def _node(node: PictureNode, x: float, y: float, error: float | None, place: int | None, labelled: bool) -> str:
    said = "not compared" if error is None else f"error {error:.1e} of the range"
    text = f'<text x="{x + 13:g}" y="{y + 4:g}">{escape(node.label)}</text>' if labelled else ""
    inside = (
        f"<title>{escape(node.id)}: {said}</title>"
        f'<circle cx="{x:g}" cy="{y:g}" r="{_RADIUS}" fill="{error_color(error)}"/>{text}'
    )
    return inside if place is None else f'<a href="#n{place}" class="n{place}">{inside}</a>'


def error_color(error: float | None) -> str:
    """From blue (rounding) over yellow to red; gray if nothing was compared."""
    if error is None or math.isnan(error):
        return _NOTHING
    place = (min(_HIGH, max(_LOW, math.log10(max(error, 1e-12)))) - _LOW) / (_HIGH - _LOW) * (len(_STOPS) - 1)
    first = min(int(place), len(_STOPS) - 2)
    rgb = (a + (b - a) * (place - first) for a, b in zip(_STOPS[first], _STOPS[first + 1], strict=True))
    return "#" + "".join(f"{round(part):02x}" for part in rgb)
