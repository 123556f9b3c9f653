"""What a finished training reached on the test set: which digits it confuses, and its worst mistakes."""

from __future__ import annotations

import base64

import streamlit as st

from convnet_core.common.formatting import format_percent
from convnet_core.errors import ConvNetError, RunError
from convnet_core.language import _
from convnet_core.runs.provenance import data_of
from convnet_core.runs.run import Run
from convnet_core.training.history import Mistake, TrainingReport
from pages.charts import style as charts
from pages.components import job_area as jobs
from pages.components.digits import digits
from pages.components.network_preview import digit_picture
from pages.components.picture_grid import Picture, show_pictures

_MISTAKES = 12  # shown


def show_results(run: Run, report: TrainingReport) -> None:
    """Show the confusion matrix, each digit's accuracy, and the worst mistakes on the test set."""
    st.header(_("On the test set"))
    left, right = st.columns(2)
    dark = st.context.theme.type == "dark"
    left.plotly_chart(
        charts.confusion(report.confusion, _("the network says"), _("it is"), dark=dark),
        width="stretch",
        alt=_("Which digit is read as which"),
    )
    right.plotly_chart(charts.per_digit(report.confusion), width="stretch", alt=_("The accuracy of each digit"))
    if report.mistakes:
        st.header(_("The worst mistakes"))
        _show_mistakes(run, report.mistakes[:_MISTAKES])


def _show_mistakes(run: Run, mistakes: tuple[Mistake, ...]) -> None:
    """Show the misread test images with the highest confidence."""
    dark = st.context.theme.type == "dark"
    try:
        images = _images(run, mistakes)
    except ConvNetError as error:
        jobs.show_error(error)
        return
    show_pictures(
        Picture(
            digit_picture(image, dark),
            _("a {digit}", digit=mistake.truth),
            _("<b>{truth}</b> as <b>{answer}</b>", truth=mistake.truth, answer=mistake.answer)
            + f"<br>{format_percent(mistake.probability, 0)}",
        )
        for mistake, image in zip(mistakes, images, strict=True)
    )


def _images(run: Run, mistakes: tuple[Mistake, ...]) -> list[str]:
    """The images as base64; for a report of an earlier version from the data set. Raises ConvNetError."""
    if all(mistake.image for mistake in mistakes):
        return [mistake.image for mistake in mistakes]
    test = digits(data_of(run)).test
    if any(mistake.index >= len(test) for mistake in mistakes):
        raise RunError(_("the test set is smaller than it was in the training"), hint=_("train again"))
    return [base64.b64encode(test.images[mistake.index].tobytes()).decode() for mistake in mistakes]
