"""Curves of trainings: one in colour, others laid over it thinner."""

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
"""Runs by name; the first is the one that the page is about."""


_CHARTS = (
    ("loss", "loss (cross-entropy)", "validation_loss", 1),
    ("accuracy", "accuracy, %", "validation_accuracy", 100),
    ("learning_rate", "learning rate", "", 1),
    ("images_per_second", "images per second", "", 1),
)
"""Field, label, the validation's field, and what it is multiplied with."""


def curves(histories: Histories, *, live: bool = False) -> None:
    """Loss, accuracy, learning rate and speed over the epochs; one figure, as four take the browser twice as long."""
    make = _newest if live else _figure
    made = make(tuple((name, tuple(history)) for name, history in histories.items()))
    st.plotly_chart(made, width="stretch", key="curves")


def _make(histories: tuple[tuple[str, tuple[Metrics, ...]], ...]) -> go.Figure:
    titles = [label for _, label, _, _ in _CHARTS]  # above the curves: beside them they lie over others on a phone
    figure = make_subplots(rows=2, cols=2, subplot_titles=titles, vertical_spacing=0.2, horizontal_spacing=0.16)
    figure.update_annotations(font_size=14)
    for place, (field, _, validation, factor) in enumerate(_CHARTS):
        cell = {"row": place // 2 + 1, "col": place % 2 + 1}
        for number, (name, history) in enumerate(histories):
            for trace in _traces(number, name, history, field, validation, factor):
                figure.add_trace(trace.update(showlegend=not place), **cell)
        figure.update_xaxes(title_text="epoch", **cell)
        figure.update_yaxes(rangemode="normal" if validation else "tozero", **cell)
    charts.styled(figure, "epoch", "", height=560)
    return figure.update_layout(legend={"y": -0.12}, margin_t=60)  # a touch screen always shows Plotly's buttons there


_figure = lru_cache(8)(_make)
"""Kept for all sessions, which only read it: a page is drawn with each slider that somebody moves above its curves."""
_newest = lru_cache(1)(_make)
"""The same for those who watch a training, whose curves are others twice a second."""


def course(run: Run, told: JobProgress) -> list[Metrics]:
    """The metrics of a training at work, from its beginning where it was resumed."""
    try:
        earlier = _before(run.path, told.job.folder.name, told.metrics[0].step)
    except ConvNetError:
        earlier = ()
    return [*earlier, *told.metrics]


@lru_cache(maxsize=4)
def _before(run: Path, job: str, step: int) -> tuple[Metrics, ...]:
    """What the checkpoint had before a job's first step: looked up once for each job, as it stays what it is."""
    return tuple(metrics for metrics in read_checkpoint_history(Run(run)) or () if metrics.step < step)


def figures(newest: Metrics) -> None:
    """Where a training is, in numbers."""
    shown = {
        "Epoch": f"{newest.epoch:.2f}",
        "Loss": f"{newest.loss:.3f}",
        "Accuracy": f"{100 * newest.accuracy:.1f} %",
        "Learning rate": f"{newest.learning_rate:.2g}",
        "Images/s": f"{newest.images_per_second:,.0f}",
        "Time left": f"{newest.seconds_left:,.0f} s",
    }
    with st.container(horizontal=True, gap="medium"):
        for name, value in shown.items():
            st.metric(name, value, width="content")


def _traces(
    number: int, name: str, history: tuple[Metrics, ...], field: str, validation: str, factor: float
) -> Iterator[go.Scatter]:
    """A run's line and, where there are any, its points on the held-out images."""
    colour = charts.COLOURS[number % len(charts.COLOURS)]
    yield go.Scatter(
        x=[metrics.epoch for metrics in history],
        y=[factor * getattr(metrics, field) for metrics in history],
        name=name,
        legendgroup=name,
        mode="lines",
        line={"color": colour, "width": 1 if number else 2},
    )
    held_out = [metrics for metrics in history if validation and getattr(metrics, validation) is not None]
    if held_out:
        yield go.Scatter(
            x=[metrics.epoch for metrics in held_out],
            y=[factor * getattr(metrics, validation) for metrics in held_out],
            name=f"{name}, validation",
            legendgroup=name,
            mode="markers",
            marker={"color": colour, "symbol": "diamond", "size": 9},
        )
