"""The figures of a training in one row; the learning rate and the speed with their course as small charts."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

import streamlit as st

from convnet_core.common.formatting import format_number, format_percent
from convnet_core.events import Metrics
from convnet_core.language import _
from convnet_core.runs.stage_results import TrainingResult

_STYLE = """<style>
.figures {display: flex; flex-wrap: wrap; gap: 0.3rem 1.6rem}
.figures div {line-height: 1.3} .figures small {opacity: 0.7; white-space: nowrap}
.figures b {font-size: 1.35rem; font-weight: 600; white-space: nowrap}
.figures img {width: 4.5rem; height: 1.2rem; margin-left: 0.5rem; display: inline; vertical-align: -0.15rem}
</style>"""
_WIDTH, _HEIGHT = 72, 22  # of a small chart, in its own units
_GRAY = "#808495"  # readable on a light and on a dark page


def show_live_figures(history: Sequence[Metrics]) -> None:
    """Show how far a running training is."""
    newest = history[-1]
    _show(
        {
            _("Training accuracy"): format_percent(newest.accuracy),
            _("Epoch"): format_number(newest.epoch, 2),
            _("Time left"): _("{seconds} s", seconds=format_number(newest.seconds_left)),
        },
        history,
    )


def show_result_figures(result: TrainingResult, history: Sequence[Metrics]) -> None:
    """Show what a training reached on the test set, and how long it took."""
    values = {
        _("Test accuracy"): format_percent(result.test_accuracy, 2),
        _("Training time"): _("{seconds} s", seconds=format_number(result.seconds)),
    }
    _show(values, history)


def show_stopped_figures(history: Sequence[Metrics]) -> None:
    """Show how far a stopped training came."""
    newest = history[-1]
    values = {_("Training accuracy"): format_percent(newest.accuracy), _("Epoch"): format_number(newest.epoch, 2)}
    _show(values, history)


def _show(values: dict[str, str], history: Sequence[Metrics]) -> None:
    cells = [f"<div><small>{escape(name)}</small><br><b>{escape(value)}</b></div>" for name, value in values.items()]
    if history:
        rates = [metrics.learning_rate for metrics in history]
        speeds = [metrics.images_per_second for metrics in history]
        cells.append(_cell_with_chart(_("Learning rate"), f"{rates[-1]:.2g}", rates))
        cells.append(_cell_with_chart(_("Images/s"), format_number(speeds[-1]), speeds))
    st.html(f'{_STYLE}<div class="figures" data-testid="figures">{"".join(cells)}</div>')


def _cell_with_chart(name: str, value: str, course: Sequence[float]) -> str:
    """A figure with its course from 0 to its highest value: a picture, because `st.html` removes inline SVG."""
    top = max(*course, 1e-12)
    step = _WIDTH / max(1, len(course) - 1)
    points = " ".join(f"{index * step:.1f},{_HEIGHT - _HEIGHT * y / top:.1f}" for index, y in enumerate(course))
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-1 -1 {_WIDTH + 2} {_HEIGHT + 2}">'
        f'<polyline fill="none" stroke="{_GRAY}" stroke-width="1.5" points="{points}"/></svg>'
    )
    uri = f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
    alt = _("the course of: {name}", name=name)
    return f'<div><small>{name}</small><br><b>{value}</b><img alt="{alt}" src="{uri}"></div>'
