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
    ("loss", "loss (cross-entropy)", "validation_loss", 1),
    ("accuracy", "accuracy, %", "validation_accuracy", 100),
    ("learning_rate", "learning rate", "", 1),
    ("images_per_second", "images per second", "", 1),
)
"""Field, label, validation field, and the factor to multiply by."""


def show_curves(histories: Histories, *, live: bool = False) -> None:
    """Loss, accuracy, learning rate and speed by epoch, in one figure because four take the browser twice as long."""
    make_figure = _live_figure if live else _figure
    figure = make_figure(tuple((name, tuple(history)) for name, history in histories.items()))
    st.plotly_chart(figure, width="stretch", key="curves")


def _make_figure(histories: tuple[tuple[str, tuple[Metrics, ...]], ...]) -> go.Figure:
    titles = [label for _, label, _, _ in _CHARTS]  # above the curves: beside them they would overlap on a phone
    figure = make_subplots(rows=2, cols=2, subplot_titles=titles, vertical_spacing=0.2, horizontal_spacing=0.16)
    figure.update_annotations(font_size=14)
    for index, (field, _, validation, factor) in enumerate(_CHARTS):
        cell = {"row": index // 2 + 1, "col": index % 2 + 1}
        for number, (name, history) in enumerate(histories):
            for trace in _traces(number, name, history, field, validation, factor):
                figure.add_trace(trace.update(showlegend=not index), **cell)
        figure.update_xaxes(title_text="epoch", **cell)
        figure.update_yaxes(rangemode="normal" if validation else "tozero", **cell)
    charts.style_figure(figure, "epoch", "", height=560)
    return figure.update_layout(legend={"y": -0.12}, margin_t=60)  # touch screens always show Plotly's buttons there


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


def show_numbers(newest: Metrics) -> None:
    """Show the latest metrics as numbers."""
    values = {
        "Epoch": f"{newest.epoch:.2f}",
        "Loss": f"{newest.loss:.3f}",
        "Accuracy": f"{100 * newest.accuracy:.1f} %",
        "Learning rate": f"{newest.learning_rate:.2g}",
        "Images/s": f"{newest.images_per_second:,.0f}",
        "Time left": f"{newest.seconds_left:,.0f} s",
    }
    with st.container(horizontal=True, gap="medium"):
        for name, value in values.items():
            st.metric(name, value, width="content")


def _traces(
    number: int, name: str, history: tuple[Metrics, ...], field: str, validation: str, factor: float
) -> Iterator[go.Scatter]:
    """A run's line, and markers for its validation metrics if there are any."""
    color = charts.COLORS[number % len(charts.COLORS)]
    yield go.Scatter(
        x=[metrics.epoch for metrics in history],
        y=[factor * getattr(metrics, field) for metrics in history],
        name=name,
        legendgroup=name,
        mode="lines",
        line={"color": color, "width": 1 if number else 2},
    )
    held_out = [metrics for metrics in history if validation and getattr(metrics, validation) is not None]
    if held_out:
        yield go.Scatter(
            x=[metrics.epoch for metrics in held_out],
            y=[factor * getattr(metrics, validation) for metrics in held_out],
            name=f"{name}, validation",
            legendgroup=name,
            mode="markers",
            marker={"color": color, "symbol": "diamond", "size": 9},
        )
