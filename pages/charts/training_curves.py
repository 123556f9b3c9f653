"""Training curves of one run, with thinner curves of other runs for comparison."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import plotly.graph_objects as go
import streamlit as st
from plotly.subplots import make_subplots

from convnet_core.errors import ConvNetError
from convnet_core.events import Metrics
from convnet_core.jobs.job_progress import JobProgress
from convnet_core.runs.run import Run
from convnet_core.training.advice import CHANCE, GUESS_LOSS, lowest_loss
from convnet_core.training.history import read_checkpoint_history
from pages.charts import style as charts

_LOW = 0.3  # an accuracy below which the level of guessing is drawn too

Histories = dict[str, list[Metrics]]
"""Metrics by run name; the first is the run shown on the page."""


CHARTS = (
    ("loss", "loss by epoch, ◆ validation", "validation_loss", 1),
    ("accuracy", "accuracy by epoch in %, ◆ validation", "validation_accuracy", 100),
)
"""Field, label, validation field, and the factor to multiply by."""


def show_curves(histories: Histories, smoothing: float = 0.0) -> None:
    """Loss and accuracy by epoch, in one figure because two take the browser longer.

    `smoothing` is the first run's label smoothing, which keeps its training loss above a level.
    """
    figure = _figure(tuple((name, tuple(history)) for name, history in histories.items()), smoothing)
    st.plotly_chart(figure, width="stretch", key="curves", config={"displayModeBar": False})


@lru_cache(8)  # for all sessions, which only read it, because every slider movement redraws the page
def _figure(histories: tuple[tuple[str, tuple[Metrics, ...]], ...], smoothing: float) -> go.Figure:
    titles = [label for _, label, _, _ in CHARTS]  # above the curves: beside them they would overlap on a phone
    figure = make_subplots(rows=1, cols=2, subplot_titles=titles, horizontal_spacing=0.1)
    figure.update_annotations(font_size=14)
    for column, (field, _, validation, factor) in enumerate(CHARTS, 1):
        for number, (name, history) in enumerate(histories):
            for trace in _traces(number, name, history, field, validation, factor):
                figure.add_trace(trace.update(showlegend=column == 1 and trace.mode == "lines"), row=1, col=column)
    for column, (field, *_) in enumerate(CHARTS, 1):
        for level, text in levels(field, dict(histories), smoothing):
            _add_level(figure, level, text, column)
    charts.style_figure(figure, "", "", height=215 if len(histories) == 1 else 240, showlegend=len(histories) > 1)
    for axes in (figure.update_xaxes, figure.update_yaxes):  # Streamlit's theme leaves room for a title
        axes(title_standoff=0, automargin=False)
    return figure.update_layout(legend={"y": -0.2}, margin={"t": 24, "b": 24 if len(histories) == 1 else 50, "l": 30})


def levels(field: str, histories: Mapping[str, Sequence[Metrics]], smoothing: float) -> list[tuple[float, str]]:
    """The levels to draw across the chart of a field, and what each means: guessing, the lowest possible loss."""
    if field == "accuracy":
        low = any(metrics.accuracy < _LOW for history in histories.values() for metrics in history)
        return [(100 * CHANCE, f"guessing: {100 * CHANCE:.0f} %")] if low else []
    first = next(iter(histories.values()))
    if not smoothing or first[-1].loss >= GUESS_LOSS:
        return []
    floor = lowest_loss(smoothing)
    return [(floor, f"no training loss below {floor:.2f} with label smoothing")]


def _add_level(figure: go.Figure, level: float, text: str, column: int) -> None:
    """A dotted line across one chart, with its name on it."""
    line = {"color": "#808495", "width": 1, "dash": "dot"}
    figure.add_hline(level, line=line, row=1, col=column)
    figure.add_annotation(
        text=text, x=1, y=level, xref="x domain" if column == 1 else f"x{column} domain", xanchor="right",
        yanchor="top" if column == 1 else "bottom", showarrow=False, font={"size": 11, "color": "#808495"},
        row=1, col=column,
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
        name=name if number else "this run",
        legendgroup=name,
        mode="lines",
        line={"color": color, "width": 1 if number else 2},
    )
    held_out = [metrics for metrics in history if validation and getattr(metrics, validation) is not None]
    if held_out:
        yield go.Scatter(
            x=[metrics.epoch for metrics in held_out],
            y=[factor * getattr(metrics, validation) for metrics in held_out],
            name=f"{name if number else 'this run'}, validation",
            legendgroup=name,
            mode="markers",
            marker={"color": color, "symbol": "diamond", "size": 9},
        )
