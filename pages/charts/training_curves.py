"""Training curves of one run, with thinner curves of other runs for comparison."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from html import escape
from pathlib import Path

import plotly.graph_objects as go
import streamlit as st

from convnet_core.common.formatting import format_number, format_percent
from convnet_core.errors import ConvNetError
from convnet_core.events import Metrics
from convnet_core.jobs.job_progress import JobProgress
from convnet_core.language import N_, _, current
from convnet_core.runs.run import Run
from convnet_core.training.advice import CHANCE, GUESS_LOSS, lowest_loss
from convnet_core.training.history import read_checkpoint_history
from pages.charts import style as charts

_LOW = 0.3  # an accuracy below which the level of guessing is drawn too

Histories = dict[str, list[Metrics]]
"""Metrics by the name that the legend shows; the first is the run shown on the page."""


CHARTS = (
    ("loss", N_("loss by epoch, ◆ validation"), "validation_loss", 1),
    ("accuracy", N_("accuracy by epoch in %, ◆ validation"), "validation_accuracy", 100),
)
"""Field, label, validation field, and the factor to multiply by."""


def show_curves(histories: Histories, smoothing: float = 0.0) -> None:
    """Loss and accuracy by epoch, side by side; on a phone, below each other.

    `smoothing` is the first run's label smoothing, which keeps its training loss above a level.
    """
    runs = tuple((name, tuple(history)) for name, history in histories.items())
    for chart, column in enumerate(st.columns(len(CHARTS))):
        figure, alt = _figure(runs, chart, smoothing, current()), _(CHARTS[chart][1])
        with column:
            st.plotly_chart(figure, width="stretch", key=f"curves {chart}", config={"displayModeBar": False}, alt=alt)
    if names := legend(histories):
        st.html(names)


def legend(histories: Histories) -> str:
    """The names of the runs in the colors of their curves, as HTML; empty if there is one run only."""
    if len(histories) < 2:
        return ""
    names = (
        f'<span aria-hidden="true" style="color: {charts.COLORS[number % len(charts.COLORS)]}">━</span> {escape(name)}'
        for number, name in enumerate(histories)
    )
    return f'<p style="margin: 0; font-size: 0.875rem">{" &nbsp; ".join(names)}</p>'


# For all sessions, which only read it, because every slider movement redraws the page
@lru_cache(16)
def _figure(
    histories: tuple[tuple[str, tuple[Metrics, ...]], ...], chart: int, smoothing: float, language: str
) -> go.Figure:
    field, label, validation, factor = CHARTS[chart]
    figure = go.Figure()
    for number, (name, history) in enumerate(histories):
        figure.add_traces(list(_traces(number, name, history, field, validation, factor)))
    for level, text in levels(field, dict(histories), smoothing):
        _add_level(figure, level, text, above=field != "loss")
    charts.style_figure(figure, "", "", height=215, showlegend=False)
    for axes in (figure.update_xaxes, figure.update_yaxes):  # Streamlit's theme leaves room for a title
        axes(title_standoff=0, automargin=False)
    title = {
        "text": _(label),
        "font": {"size": 14, "weight": 400},
        "pad": {"t": 4},  # Chinese characters are taller
        "x": 0,
        "y": 1,
        "yref": "container",
        "yanchor": "top",
    }
    return figure.update_layout(title=title, margin={"t": 28, "b": 24, "l": 30})


def levels(field: str, histories: Mapping[str, Sequence[Metrics]], smoothing: float) -> list[tuple[float, str]]:
    """The levels to draw across the chart of a field, and what each means: guessing, the lowest possible loss."""
    if field == "accuracy":
        low = any(metrics.accuracy < _LOW for history in histories.values() for metrics in history)
        return [(100 * CHANCE, _("guessing: {percent}", percent=format_percent(CHANCE, 0)))] if low else []
    first = next(iter(histories.values()))
    if not smoothing or first[-1].loss >= GUESS_LOSS:
        return []
    floor = lowest_loss(smoothing)
    return [(floor, _("no training loss below {loss} with label smoothing", loss=format_number(floor, 2)))]


def _add_level(figure: go.Figure, level: float, text: str, *, above: bool) -> None:
    """A dotted line across the chart, with its name where no curve is: above it on the right, or below on the left."""
    figure.add_hline(level, line={"color": "#808495", "width": 1, "dash": "dot"})
    figure.add_annotation(
        text=text, x=1 if above else 0, xref="x domain", xanchor="right" if above else "left",
        y=level, yanchor="bottom" if above else "top", showarrow=False, font={"size": 11},
    )  # fmt: skip


def live_history(run: Run, progress: JobProgress) -> list[Metrics]:
    """The metrics of a running training, including those before it was resumed."""
    try:
        earlier = _checkpoint_history(run.path, progress.job.folder.name, progress.metrics[0].step)
    except ConvNetError:
        earlier = ()
    return [*earlier, *progress.metrics]


@lru_cache(maxsize=4)
def _checkpoint_history(run: Path, job: str, step: int) -> tuple[Metrics, ...]:
    """The checkpoint's metrics from before a job's first step; read once per job because they do not change."""
    return tuple(metrics for metrics in read_checkpoint_history(Run(run)) or () if metrics.step < step)


def _traces(
    number: int, name: str, history: tuple[Metrics, ...], field: str, validation: str, factor: float
) -> Iterator[go.Scatter]:
    """A run's line, and markers for its validation metrics if there are any."""
    color = charts.COLORS[number % len(charts.COLORS)]
    yield go.Scatter(
        x=[metrics.epoch for metrics in history],
        y=[factor * getattr(metrics, field) for metrics in history],
        name=name,
        mode="lines",
        line={"color": color, "width": 1 if number else 2},
    )
    held_out = [metrics for metrics in history if validation and getattr(metrics, validation) is not None]
    if held_out:
        yield go.Scatter(
            x=[metrics.epoch for metrics in held_out],
            y=[factor * getattr(metrics, validation) for metrics in held_out],
            name=_("{run}, validation", run=name),
            mode="markers",
            marker={"color": color, "symbol": "diamond", "size": 9},
        )
