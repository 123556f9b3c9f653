"""The answers of the runtimes: labels, the worst inputs, the batch sizes."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from convnet_core.common.files import digest
from convnet_core.common.formatting import format_count
from convnet_core.dissect.report import content as report
from convnet_core.dissect.report import tables, worst_inputs_file
from convnet_core.errors import RunError
from convnet_core.runs.run import Run
from convnet_core.tensors.arrays import Array
from pages.components import job_area as jobs
from pages.components import run_state as shared

_MOST = 12
"""Samples that are shown for a runtime, of either kind; and worst inputs."""
_MOST_PIXELS = 2**20
"""Of a worst input that is shown: a larger one takes seconds and much memory, and is 84 pixels wide here anyway."""


def show(run: Run, stage: str, content: dict[str, Any]) -> None:
    """Labels, the worst inputs, and the batch sizes."""
    if content["labels"]:
        st.subheader("Could a label flip?", anchor=False)
        st.dataframe(
            [
                {
                    "Runtime": name,
                    "equal labels": 100 * item["agreement"],
                    "accuracy": None if item["accuracy"] is None else 100 * item["accuracy"],
                    "largest error": item["max_error"],
                    "could flip": f"{item['could_flip']}{tables.could_flip_text(item)}",
                    "flipped": f"{item['flipped']}{tables.flipped_text(item)}",
                }
                for name, item in content["labels"].items()
            ],
            hide_index=True,
            width="stretch",
            column_config={
                "equal labels": st.column_config.NumberColumn(format="%.2f %%"),
                "accuracy": st.column_config.NumberColumn(format="%.2f %%"),
                "largest error": st.column_config.NumberColumn(format="%.1e"),
            },
        )
        st.caption(
            "A sample could flip where its best two scores are closer than twice the largest error; the closest come "
            "first, with their margins."
        )
        _pictures(content)
    if content["worst"]:
        st.subheader("The worst input found", anchor=False)
        rows = [
            {"Runtime": item["runtime"], "samples": item["before"], "found": item["found"]} for item in content["worst"]
        ]
        number = st.column_config.NumberColumn(format="%.1e")
        st.dataframe(rows, hide_index=True, width="stretch", column_config={"samples": number, "found": number})
        steps = content["worst"][0]["steps"]
        st.caption(
            f"The largest difference, as a part of the range; {format_count(steps, 'step')} uphill. It is the worst "
            "found, no bound."
        )
        _worst_inputs(run, stage)
    st.subheader("Batch sizes", anchor=False)
    st.dataframe(tables.sweep(content), hide_index=True, width="stretch")
    st.caption(
        "The error against the ONNX model at that size, as a part of the range. ✓: float32 within rounding; ≠: another "
        "answer at every size; ✗: no answer, or another one at this size alone. float16 and int8 have no mark."
    )


def _pictures(content: dict[str, Any]) -> None:
    """The samples that could flip and those that have, where they are images."""
    pictures = content.get("samples", {})
    for name, item in content["labels"].items():
        for said, places in (("Read otherwise by", item["examples"]), ("Closest to another label in", item["closest"])):
            shown = [place for place in places if str(place) in pictures][:_MOST]
            if shown:
                st.markdown(f"{said} {name}:")
                images = [base64.b64decode(pictures[str(place)]) for place in shown]
                st.image(images, width=56, caption=[str(place) for place in shown])


def _worst_inputs(run: Run, stage: str) -> None:
    """The inputs themselves where they are images of one channel; to take along in any case."""
    name = f"{stage}/{report.WORST}"
    try:
        path = run.file(name)
    except RunError as error:
        jobs.explain(error)
        return
    try:
        if drawn := _images(run.path, stage, digest(path)):
            st.image(list(drawn.values()), width=84, caption=list(drawn))
    except RunError as error:
        jobs.explain(error)
    shared.download(
        run,
        name,
        report.WORST,
        report.WORST,
        on_click="ignore",
        icon=":material/download:",
        help="The worst input of each runtime, as NumPy arrays named runtime/input",
    )


@st.cache_resource(show_spinner=False, max_entries=4)
def _images(path: Path, stage: str, sha256: str) -> dict[str, Array]:
    """The worst input of each runtime as a picture, where it is one; drawn again when the file's digest changes."""
    images = {
        name.partition("/")[0]: array[0, 0]
        for name, array in worst_inputs_file.load(Run(path), stage).items()
        if array.ndim == 4 and array.shape[1] == 1 and 0 < array.size <= _MOST_PIXELS
    }
    return {name: _drawn(image) for name, image in list(images.items())[:_MOST]}


def _drawn(array: Array) -> Array:
    """White for the least value to black for the largest, 1 to 0; NaN counts as 0."""
    values = np.nan_to_num(array.astype(np.float32)).astype(np.float64)
    drawn: Array = 1 - (values - values.min()) / (float(np.ptp(values)) or 1.0)
    return drawn
