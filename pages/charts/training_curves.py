"""Training curves of one run, with thinner curves of other runs for comparison."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import plotly.graph_objects as go
import streamlit as st
from plotly.subplots import make_subplots

from convnet_core.errors import ConvNetError
from convnet_core.events import Metrics
from convnet_core.jobs.job_progress import JobProgress
from convnet_core.runs.run import Run
from convnet_core.training.history import read_checkpoint_history
from pages.charts import style as charts

Histories = dict[str, list[Metrics]]
"""Metrics by run name; the first is the run shown on the page."""


_CHARTS = (
    ("loss", "loss by epoch", "validation_loss", 1),
    ("accuracy", "accuracy by epoch, %", "validation_accuracy", 100),
)
"""Field, label, validation field, and the factor to multiply by."""


def show_curves(histories: Histories, *, live: bool = False) -> None:
    """Loss and accuracy by epoch, in one figure because two take the browser longer."""
    make_figure = _live_figure if live else _figure
    figure = make_figure(tuple((name, tuple(history)) for name, history in histories.items()))
    st.plotly_chart(figure, width="stretch", key="curves", config={"displayModeBar": False})


def _make_figure(histories: tuple[tuple[str, tuple[Metrics, ...]], ...]) -> go.Figure:
    titles = [label for _, label, _, _ in _CHARTS]  # above the curves: beside them they would overlap on a phone
    figure = make_subplots(rows=1, cols=2, subplot_titles=titles, horizontal_spacing=0.1)
    figure.update_annotations(font_size=14)
    for column, (field, _, validation, factor) in enumerate(_CHARTS, 1):
        for number, (name, history) in enumerate(histories):
            for trace in _traces(number, name, history, field, validation, factor):
                figure.add_trace(trace.update(showlegend=column == 1), row=1, col=column)
    charts.style_figure(figure, "", "", height=260)
    return figure.update_layout(legend={"y": -0.12}, margin_t=24)


_figure = lru_cache(8)(_make_figure)
"""Cached for all sessions, which only read it, because every slider movement redraws the page."""
_live_figure = lru_cache(1)(_make_figure)
"""The same for a running training, whose curves change twice a second."""


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
        name=name if number else "training",
        legendgroup=name,
        mode="lines",
        line={"color": color, "width": 1 if number else 2},
    )
    held_out = [metrics for metrics in history if validation and getattr(metrics, validation) is not None]
    if held_out:
        yield go.Scatter(
            x=[metrics.epoch for metrics in held_out],
            y=[factor * getattr(metrics, validation) for metrics in held_out],
            name=f"{name}, validation" if number else "validation",
            legendgroup=name,
            mode="markers",
            marker={"color": color, "symbol": "diamond", "size": 9},
        )
