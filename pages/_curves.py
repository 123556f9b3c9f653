"""Curves of trainings: one in colour, others laid over it thinner."""

from __future__ import annotations

import plotly.graph_objects as go
import streamlit as st

from convnet_core.events import Metrics
from pages import _charts as charts

Histories = dict[str, list[Metrics]]
"""Runs by name; the first is the one that the page is about."""


def curves(histories: Histories) -> None:
    """Loss, accuracy, learning rate and speed over the epochs."""
    rows = [st.columns(2), st.columns(2)]
    rows[0][0].plotly_chart(_chart(histories, "loss", "loss (cross-entropy)", "validation_loss"), key="loss")
    rows[0][1].plotly_chart(_chart(histories, "accuracy", "accuracy, %", "validation_accuracy", 100), key="accuracy")
    rows[1][0].plotly_chart(_chart(histories, "learning_rate", "learning rate"), key="rate")
    rows[1][1].plotly_chart(_chart(histories, "images_per_second", "images per second"), key="speed")


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


def _chart(histories: Histories, field: str, label: str, validation: str = "", factor: float = 1) -> go.Figure:
    figure = go.Figure()
    for number, (name, history) in enumerate(histories.items()):
        colour = charts.COLOURS[number % len(charts.COLOURS)]
        figure.add_scatter(
            x=[metrics.epoch for metrics in history],
            y=[factor * getattr(metrics, field) for metrics in history],
            name=name,
            mode="lines",
            line={"color": colour, "width": 1 if number else 2},
        )
        held_out = [metrics for metrics in history if validation and getattr(metrics, validation) is not None]
        if held_out:
            figure.add_scatter(
                x=[metrics.epoch for metrics in held_out],
                y=[factor * getattr(metrics, validation) for metrics in held_out],
                name=f"{name}, validation",
                mode="markers",
                marker={"color": colour, "symbol": "diamond", "size": 9},
            )
    figure.update_yaxes(rangemode="tozero" if field in ("learning_rate", "images_per_second") else "normal")
    return charts.styled(figure, "epoch", label, height=280)
