"""The two graphs of a dissection, colored by error, ready for the SVG in the template. Imports nothing heavy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from convnet_core.dissect.report.report_file import Picture, Pictures
from convnet_core.language import _

_ACROSS, _DOWN, _MARGIN = 120, 44, 24
LOW, HIGH = -8.0, -2.0
"""log10 of the smallest and the largest error on the color scale."""
_STOPS = ((158, 202, 225), (253, 217, 124), (215, 48, 31))
SCALE = tuple((index / (len(_STOPS) - 1), f"rgb{stop}") for index, stop in enumerate(_STOPS))
"""The color scale from `LOW` to `HIGH`: positions from 0 to 1, and colors."""
_NOTHING = "#bbbbbb"
_MOST_LABELS = 200
"""The most nodes to label."""


@dataclass(frozen=True)
class DrawnNode:
    """A node with its color and its position in pixels. `text` describes its error, `label` is "" in a large graph.

    `place` is the position of its ONNX node in the node map, None if it is not there.
    """

    id: str
    label: str
    text: str
    color: str
    x: float
    y: float
    place: int | None


@dataclass(frozen=True)
class DrawnGraph:
    """A graph as an SVG shows it, from top to bottom, in pixels; `lines` are x and y of both ends."""

    title: str
    left: float
    width: float
    height: float
    lines: tuple[tuple[float, float, float, float], ...]
    nodes: tuple[DrawnNode, ...]


def draw_graphs(pictures: Pictures, errors: Mapping[str, float | None], places: Mapping[str, int]) -> list[DrawnGraph]:
    """The graphs that have nodes. The color of a node is the error of its ONNX node."""
    both = (("ONNX", pictures.onnx), ("TensorFlow", pictures.tensorflow))
    return [_draw(title, picture, errors, places) for title, picture in both if picture.nodes]


def _draw(title: str, picture: Picture, errors: Mapping[str, float | None], places: Mapping[str, int]) -> DrawnGraph:
    at = [(_MARGIN + _ACROSS * node.x, _MARGIN + _DOWN * node.y) for node in picture.nodes]
    left = min(x for x, _y in at) - _MARGIN
    has_labels = len(at) <= _MOST_LABELS
    nodes = (
        DrawnNode(
            node.id,
            node.label if has_labels else "",
            error_text(errors.get(node.node)),
            error_color(errors.get(node.node)),
            x,
            y,
            places.get(node.node),
        )
        for node, (x, y) in zip(picture.nodes, at, strict=True)
    )
    return DrawnGraph(
        title,
        left,
        max(x for x, _y in at) - left + _ACROSS,
        max(y for _x, y in at) + _MARGIN,
        tuple((*at[first], *at[second]) for first, second in picture.edges),
        tuple(nodes),
    )


def error_text(error: float | None) -> str:
    """The error of a node in words."""
    return _("not compared") if error is None else _("error {error:.1e} of the range", error=error)


def error_color(error: float | None) -> str:
    """From blue (rounding) over yellow to red; gray if nothing was compared."""
    if error is None or math.isnan(error):
        return _NOTHING
    place = (min(HIGH, max(LOW, math.log10(max(error, 1e-12)))) - LOW) / (HIGH - LOW) * (len(_STOPS) - 1)
    first = min(int(place), len(_STOPS) - 2)
    rgb = (a + (b - a) * (place - first) for a, b in zip(_STOPS[first], _STOPS[first + 1], strict=True))
    return "#" + "".join(f"{round(part):02x}" for part in rgb)
