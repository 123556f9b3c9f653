"""The curves of a running training as plain SVG.

Twice a second, Plotly keeps a core busy that the training needs: on two cores, the sample pipeline took 2 s more.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

import streamlit as st

from convnet_core.events import Metrics
from convnet_core.language import _
from pages.charts.style import COLORS
from pages.charts.training_curves import CHARTS, Histories, legend, levels

_WIDTH, _HEIGHT = 340, 155  # of one chart, in its own units, about as many pixels on a laptop or a phone
_LEFT, _RIGHT, _TOP, _BOTTOM = 34, 8, 8, 20
_GRAY = "#808495"  # of lines
_INK = {False: "#5F6270", True: "#A9ADB8"}  # of text, on a light page and on a dark one
_STYLE = """<style>
.live-curves {display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: 0.25rem 1.5rem}
.live-curves figure {margin: 0} .live-curves img {width: 100%; display: block}
.live-curves figcaption {font-size: 0.875rem}
.live-curves > p {grid-column: 1 / -1}
</style>"""


@dataclass(frozen=True)
class Line:
    """One run in a chart: (epoch, value) of its course, and of its held-out images."""

    course: list[tuple[float, float]]
    held_out: list[tuple[float, float]]


def show_live_curves(histories: Histories, smoothing: float) -> None:
    """Loss and accuracy by epoch up to the end of the training, like `training_curves.show_curves`."""
    end = max(_last_epoch(history[-1]) for history in histories.values())
    charts, dark = [], st.context.theme.type == "dark"
    for field, label, validation, factor in CHARTS:
        lines = [
            Line(
                [(metrics.epoch, factor * getattr(metrics, field)) for metrics in history],
                [(metrics.epoch, factor * y) for metrics in history if (y := getattr(metrics, validation)) is not None],
            )
            for history in histories.values()
        ]
        svg = "".join(_draw(lines, levels(field, histories, smoothing), end, _INK[dark]))
        uri = f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
        charts.append(f'<figure><figcaption>{_(label)}</figcaption><img alt="{_(label)}" src="{uri}"></figure>')
    st.html(f'{_STYLE}<div class="live-curves" data-testid="live-curves">{"".join(charts)}{legend(histories)}</div>')


def _last_epoch(newest: Metrics) -> float:
    """The epoch at which a training will end."""
    return newest.epoch * max(1.0, newest.total_steps / max(1, newest.step)) or 1.0


def _draw(lines: Sequence[Line], marks: Sequence[tuple[float, str]], end: float, ink: str) -> Iterator[str]:
    heights = [point[1] for line in lines for point in line.course + line.held_out] + [level for level, _ in marks]
    step, epochs = _tick_step(max(heights)), _tick_step(end)
    top = step * math.ceil(max(heights) / step)

    def x_of(epoch: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * epoch / end

    def y_of(value: float) -> float:
        return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - value / top)

    size = f'viewBox="0 0 {_WIDTH} {_HEIGHT}"'
    yield f'<svg xmlns="http://www.w3.org/2000/svg" {size} fill="{ink}" font-family="sans-serif">'
    for value in _ticks(step, top):
        yield _rule(y_of(value), 'stroke-opacity="0.25"') + _text(_LEFT - 6, y_of(value) + 4, f"{value:g}", "end")
    for epoch in _ticks(epochs, end):
        yield _text(x_of(epoch), _HEIGHT - 4, f"{epoch:g}", "middle")
    for level, text in marks:
        yield _rule(y_of(level), 'stroke-dasharray="2 3"') + _text(_WIDTH - 4, y_of(level) - 4, text, "end")
    for number, line in reversed(list(enumerate(lines))):  # this run on top
        color, width = COLORS[number % len(COLORS)], 1.2 if number else 2.5
        points = " ".join(f"{x_of(x):.1f},{y_of(y):.1f}" for x, y in line.course)
        yield f'<polyline fill="none" stroke="{color}" stroke-width="{width}" points="{points}"/>'
        for x, y in line.held_out:
            yield f'<path d="M{x_of(x):.1f} {y_of(y):.1f}m-5 0l5-5 5 5-5 5z" fill="{color}"/>'
    yield "</svg>"


def _rule(y: float, style: str) -> str:
    return f'<path d="M{_LEFT} {y:.1f}H{_WIDTH}" stroke="{_GRAY}" {style}/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="13">{escape(text)}</text>'


def _ticks(step: float, end: float) -> list[float]:
    return [number * step for number in range(math.floor(end / step + 1e-9) + 1)]


def _tick_step(span: float) -> float:
    """The distance of the ticks for a range from 0: 1, 2 or 5 times a power of ten, 3 to 6 ticks."""
    power = 10.0 ** math.floor(math.log10(span or 1.0))
    return next(power * factor for factor in (0.2, 0.5, 1, 2, 5) if span <= 5 * power * factor)
