"""The answers of the runtimes: labels, the worst inputs, the batch sizes."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from convnet_core.dissect import report, tables
from convnet_core.runs import Run

_MOST = 12
"""Samples that are shown for a runtime, of either kind."""


def show(run: Run, content: dict[str, Any]) -> None:
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
                    "could flip": f"{item['could_flip']}{tables.could_flip(item)}",
                    "flipped": f"{item['flipped']}{tables.flipped(item)}",
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
            f"The largest difference, as a part of the range; {steps} steps uphill. It is the worst found, no bound."
        )
        _worst_inputs(run.path / report.STAGE / report.WORST)
    st.subheader("Batch sizes", anchor=False)
    st.dataframe(tables.sweep(content), hide_index=True, width="stretch")
    st.caption("After ✓ the error against the ONNX model at that size, as a part of the range.")


def _pictures(content: dict[str, Any]) -> None:
    """The samples that could flip and those that have, where they are images."""
    pictures = content.get("samples", {})
    for name, item in content["labels"].items():
        for said, places in (("Read otherwise by", item["examples"]), ("Closest to another label in", item["closest"])):
            shown = [place for place in places if str(place) in pictures][:_MOST]
            if shown:
                st.markdown(f"{said} {name}:")
                images = [base64.b64decode(pictures[str(place)]) for place in shown]
                st.image(images, width=56, caption=[str(place) for place in shown])  # type: ignore[arg-type]


def _worst_inputs(path: Path) -> None:
    """The inputs themselves where they are images of one channel; to take along in any case."""
    if not path.is_file():
        return
    with np.load(path, allow_pickle=False) as kept:
        arrays = {name: kept[name] for name in kept.files}
    images = {name.partition("/")[0]: array[0, 0] for name, array in arrays.items() if array.shape[:2] == (1, 1)}
    drawn = {name: array for name, array in images.items() if array.ndim == 2 and array.size}
    if drawn:
        scaled = [(array - array.min()) / (float(np.ptp(array)) or 1.0) for array in drawn.values()]
        st.image([1 - array for array in scaled], width=84, caption=list(drawn))
    st.download_button(
        path.name, path.read_bytes(), path.name, on_click="ignore", icon=":material/download:",
        help="The worst input of each runtime, as NumPy arrays named runtime/input",
    )  # fmt: skip
