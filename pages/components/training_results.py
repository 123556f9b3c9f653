"""What a finished training reached on the test set: which digits it confuses, and its worst mistakes."""

from __future__ import annotations

import streamlit as st

from convnet_core.data import gallery
from convnet_core.errors import ConvNetError
from convnet_core.runs.provenance import data_of
from convnet_core.runs.run import Run
from convnet_core.training.history import Mistake, TrainingReport
from pages.charts import style as charts
from pages.components import job_area as jobs
from pages.components.digits import digits

_MISTAKES = 12  # shown; each is three elements for the browser to draw


def show_results(run: Run, report: TrainingReport) -> None:
    """Show the confusion matrix, each digit's accuracy, and the worst mistakes on the test set."""
    st.subheader("On the test set")
    left, right = st.columns(2)
    dark = st.context.theme.type == "dark"
    left.plotly_chart(charts.confusion(report.confusion, "the network says", "it is", dark=dark), width="stretch")
    right.plotly_chart(charts.per_digit(report.confusion), width="stretch")
    if report.mistakes:
        st.subheader("The worst mistakes")
        _show_mistakes(run, report.mistakes)


def _show_mistakes(run: Run, mistakes: tuple[Mistake, ...]) -> None:
    """Show the misread test images with the highest confidence."""
    try:
        test = digits(data_of(run)).test
    except ConvNetError as error:
        jobs.show_error(error)
        return
    with st.container(horizontal=True):
        for mistake in [mistake for mistake in mistakes if mistake.index < len(test)][:_MISTAKES]:
            with st.container(width=96, gap="small"):
                st.image(gallery.sheet([test.images[mistake.index][None]], enlarge=3), width=84)
                st.caption(f"**{mistake.truth}** as **{mistake.answer}**, {100 * mistake.probability:.0f} %")
