"""The runtimes' answers: labels, worst inputs and batch sizes."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import streamlit as st

from convnet_core.common.files import digest
from convnet_core.dissect.report import tables, worst_inputs_file
from convnet_core.dissect.report.content import WORST
from convnet_core.dissect.report.report_file import DissectionReport
from convnet_core.errors import RunError
from convnet_core.language import _, plural
from convnet_core.runs.run import Run
from convnet_core.tensors.arrays import Array
from pages.components import job_area as jobs
from pages.components import run_state as shared

_MOST = 12
"""The most samples of each kind shown for a runtime, and the most worst inputs."""
_MOST_PIXELS = 2**20
"""The largest worst input shown; larger ones take seconds and much memory, and are only 84 pixels wide here."""


def show(run: Run, stage: str, report: DissectionReport) -> None:
    """Show labels, the worst inputs, and the batch sizes."""
    if report.labels:
        st.header(_("Could a label flip?"), anchor=False)
        st.dataframe(
            [
                {
                    _("Runtime"): name,
                    _("equal labels"): 100 * labels.agreement,
                    _("accuracy"): None if labels.accuracy is None else 100 * labels.accuracy,
                    _("largest error"): labels.max_error,
                    _("could flip"): f"{labels.could_flip}{tables.could_flip_text(labels)}",
                    _("flipped"): f"{labels.flipped}{tables.flipped_text(labels)}",
                }
                for name, labels in report.labels.items()
            ],
            hide_index=True,
            width="stretch",
            column_config={
                _("equal labels"): st.column_config.NumberColumn(format="%.2f %%"),
                _("accuracy"): st.column_config.NumberColumn(format="%.2f %%"),
                _("largest error"): st.column_config.NumberColumn(format="%.1e"),
            },
        )
        st.caption(
            _(
                "A label could flip if the sample's two best scores are closer than twice the largest error. The "
                "closest come first, with their margins."
            )
        )
        _pictures(report)
    if report.worst:
        st.header(_("The worst input found"), anchor=False)
        rows = [
            {_("Runtime"): item.runtime, _("samples"): item.before, _("found"): item.found} for item in report.worst
        ]
        number = st.column_config.NumberColumn(format="%.1e")
        st.dataframe(rows, hide_index=True, width="stretch", column_config={_("samples"): number, _("found"): number})
        steps = report.worst[0].steps
        st.caption(
            plural(
                "The largest difference, as a fraction of the range, after {count} step of gradient ascent. This is "
                "the worst found, not an upper bound.",
                "The largest difference, as a fraction of the range, after {count} steps of gradient ascent. This is "
                "the worst found, not an upper bound.",
                steps,
            )
        )
        _worst_inputs(run, stage)
    elif report.config.worst == "no":
        st.header(_("The worst input"), anchor=False)
        st.caption(_("It was not searched for: Settings, below, can turn the search on, and say how long it takes."))
    st.header(_("Batch sizes"), anchor=False)
    st.dataframe(tables.translated(tables.sweep(report)), hide_index=True, width="stretch")
    st.caption(
        _(
            "The error against the ONNX model at that size, as a fraction of the range. ✓: float32 within rounding; "
            "≠: wrong answers at every size; ✗: no answer, or a wrong one only at this size. float16 and int8 have no "
            "mark."
        )
    )


def _pictures(report: DissectionReport) -> None:
    """Show the samples that flipped and those closest to flipping, if they are images."""
    for name, labels in report.labels.items():
        for title, indices in (
            (_("Different label in {runtime}:", runtime=name), labels.examples),
            (_("Closest to another label in {runtime}:", runtime=name), labels.closest),
        ):
            shown = [index for index in indices if str(index) in report.samples][:_MOST]
            if shown:
                st.markdown(title)
                images = [base64.b64decode(report.samples[str(index)]) for index in shown]
                names = [str(index) for index in shown]
                st.image(images, width=56, caption=names, alt=names)


def _worst_inputs(run: Run, stage: str) -> None:
    """Show the worst inputs if they are one-channel images, and a download button."""
    name = f"{stage}/{WORST}"
    try:
        path = run.file(name)
    except RunError as error:
        jobs.show_error(error)
        return
    try:
        if images := _images(run.path, stage, digest(path)):
            st.image(list(images.values()), width=84, caption=list(images), alt=list(images))
    except RunError as error:
        jobs.show_error(error)
    shared.download_button(
        run,
        name,
        WORST,
        WORST,
        on_click="ignore",
        icon=":material/download:",
        help=_("The worst input of each runtime, as NumPy arrays named runtime/input"),
    )


@st.cache_resource(show_spinner=False, max_entries=4)
def _images(path: Path, stage: str, sha256: str) -> dict[str, Array]:
    """The worst input of each runtime that is an image, cached until the file's digest changes."""
    images = {
        name.partition("/")[0]: array[0, 0]
        for name, array in worst_inputs_file.load(Run(path), stage).items()
        if array.ndim == 4 and array.shape[1] == 1 and 0 < array.size <= _MOST_PIXELS
    }
    return {name: _to_brightness(image) for name, image in list(images.items())[:_MOST]}


def _to_brightness(array: Array) -> Array:
    """Brightness from 1 (white, least value) to 0 (black, largest value); NaN counts as 0."""
    values = np.nan_to_num(array.astype(np.float32)).astype(np.float64)
    drawn: Array = 1 - (values - values.min()) / (float(np.ptp(values)) or 1.0)
    return drawn
