"""Test cases on a page: keep a drawing, see which runtimes read the kept ones right, remove them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from convnet_core.config.arguments import arguments
from convnet_core.config.stages import CompareConfig
from convnet_core.data.picture import Gray
from convnet_core.errors import ConvNetError, RunError
from convnet_core.runs import drawings
from convnet_core.runs.provenance import data_of
from convnet_core.runs.run import Run
from convnet_core.runtimes.pool import RuntimePool, by_label
from pages.components import job_area as jobs


def keeping(run: Run, drawing: Gray, guess: int | None) -> None:
    """Keep the drawing with its true digit."""
    label = st.pills(  # a segmented control does not wrap: on a phone its last digit is cut off
        "The digit that you drew",
        range(10),
        default=guess,
        help="Begins with what most runtimes read; say otherwise where they are wrong",
    )
    if not st.button(
        "Keep as a test case",
        icon=":material/bookmark_add:",
        disabled=label is None,
        help="Puts the drawing and its digit into the run; the next comparison includes it",
    ):
        return
    assert label is not None  # else the button is disabled
    try:
        drawings.save(run, drawing, label)
    except ConvNetError as error:
        jobs.explain(error)
        return
    st.toast(f"Kept as a {label}", icon=":material/bookmark_added:")
    st.rerun()


@st.cache_data(show_spinner=False, max_entries=200)
def image_of(path: Path, case: drawings.SavedDrawing) -> Any:
    """The prepared image of a test case. A case's name stands for its pixels."""
    return drawings.load_image(Run(path), case)


def readable(run: Run, found: list[drawings.SavedDrawing]) -> dict[drawings.SavedDrawing, Any]:
    """The prepared image of each case; a line for each that cannot be read."""
    images = {}
    for case in found:
        try:
            images[case] = image_of(run.path, case)
        except ConvNetError as error:
            jobs.explain(error)
    return images


def kept(run: Run, reader: RuntimePool) -> None:
    """The drawings that were kept: which runtimes read them right, and a button to remove each."""
    st.subheader("Test cases")
    found = drawings.list_drawings(run)
    if not found:
        st.caption("None yet. A drawing that you keep becomes one: each comparison then includes it.")
        return
    images = readable(run, found)
    read = {} if reader.loading or not images else reader.read(np.stack([*images.values()])[:, None])
    answers = {name: dict(zip(images, answer.labels.tolist(), strict=True)) for name, answer in read.items()}
    if answers:
        right = {name: sum(said[case] == case.label for case in images) for name, said in answers.items()}
        badges = (
            f":{'green' if count == len(images) else 'orange'}-badge[{name}: {count} of {len(images)}]"
            for name, count in right.items()
        )
        st.markdown(f"Read right: {' '.join(badges)}")
    included(run, found)
    with st.container(horizontal=True):
        for case in found:
            labels = {name: said[case] for name, said in answers.items() if case in said}
            case_card(run, case, labels, pictured=case in images)


def included(run: Run, found: list[drawings.SavedDrawing]) -> None:
    """Whether the comparison knows these cases, with the button that makes it so."""
    try:
        record = run.record("compare")
    except RunError:  # damaged, as the page Compare says
        record = None
    if record and drawings.compared_exactly(record, found):
        st.caption("The comparison includes these drawings.")
        return
    st.caption("The next comparison includes these drawings.")
    config = CompareConfig.from_json(record.config) if record else CompareConfig()
    jobs.start_button(
        "Compare with these drawings",
        lambda: run,
        ["compare", *arguments(config, CompareConfig()), *arguments(data_of(run, "compare"), data_of(run))],
        icon=":material/balance:",
        disabled=jobs.busy(run),
        help="Compares all runtimes once more, with the settings of the last comparison",
    )


def case_card(run: Run, case: drawings.SavedDrawing, labels: dict[str, int], *, pictured: bool) -> None:
    """One test case, without its picture where that cannot be read."""
    with st.container(border=True, width=150):
        try:
            if pictured:
                st.image(str(drawings.picture_file(run, case)), width=112)
        except RunError as error:  # a link, or removed elsewhere, since the images were read
            jobs.explain(error)
        st.caption(_said(case, labels))
        st.button(
            "Remove",
            key=f"remove-{case.file}",
            icon=":material/delete:",
            on_click=drawings.delete,
            args=(run, case),
            help="Takes the drawing out of the run",
        )


def _said(case: drawings.SavedDrawing, labels: dict[str, int]) -> str:
    groups = by_label(labels)
    if not groups:
        return f"a {case.label}"
    if len(groups) == 1:
        label = next(iter(groups))
        return f"a {case.label}, read {'right' if label == case.label else f'as {label}'} by all"
    wrong = (f"{', '.join(names)}: {label}" for label, names in groups.items() if label != case.label)
    return f"a {case.label}; read wrong by {'; '.join(wrong)}"
