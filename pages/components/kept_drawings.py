"""Test cases: save a drawing, see which runtimes read the saved ones correctly, and remove them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from convnet_core.config.flags import arguments
from convnet_core.config.stages import CompareConfig
from convnet_core.data.picture import Gray
from convnet_core.errors import ConvNetError, RunError
from convnet_core.language import _
from convnet_core.runs import drawings
from convnet_core.runs.provenance import data_of
from convnet_core.runs.run import Run
from convnet_core.runtimes.pool import RuntimePool, by_label
from pages.components import job_area as jobs


def save_form(run: Run, drawing: Gray, guess: int | None) -> None:
    """A form that saves the drawing with its true digit."""
    label = st.container(key="drawn-digit").pills(
        _("The digit that you drew"),
        range(10),
        default=guess,
        help=_("Starts with the digit that most runtimes read; change it if they are wrong"),
    )
    if not st.button(
        _("Save as a test case"),
        icon=":material/bookmark_add:",
        disabled=label is None,
        help=_("Saves the drawing and its digit in the run; the next comparison includes it"),
    ):
        return
    assert label is not None  # else the button is disabled
    try:
        drawings.save(run, drawing, label)
    except ConvNetError as error:
        jobs.show_error(error)
        return
    st.toast(_("Saved as a {digit}", digit=label), icon=":material/bookmark_added:")
    st.rerun()


@st.cache_data(show_spinner=False, max_entries=200)
def load_image(path: Path, case: drawings.SavedDrawing) -> Any:
    """The prepared image of a test case. The file name identifies its pixels."""
    return drawings.load_image(Run(path), case)


def load_images(run: Run, cases: list[drawings.SavedDrawing]) -> dict[drawings.SavedDrawing, Any]:
    """The prepared image of each case; shows an error for each that cannot be read."""
    images = {}
    for case in cases:
        try:
            images[case] = load_image(run.path, case)
        except ConvNetError as error:
            jobs.show_error(error)
    return images


def show_saved(run: Run, pool: RuntimePool) -> None:
    """Show the saved drawings, which runtimes read them correctly, and a button to remove each."""
    st.header(_("Test cases"))
    cases = drawings.list_drawings(run)
    if not cases:
        st.caption(_("None yet. Save a drawing to include it in each comparison."))
        return
    images = load_images(run, cases)
    results = {} if pool.loading or not images else pool.read(np.stack([*images.values()])[:, None])
    answers = {name: dict(zip(images, answer.labels.tolist(), strict=True)) for name, answer in results.items()}
    if answers:
        correct = {name: sum(labels[case] == case.label for case in images) for name, labels in answers.items()}
        badges = (
            f":{'green' if count == len(images) else 'orange'}-badge[{name}: {share}]"
            for name, count in correct.items()
            for share in [_("{count} of {all}", count=count, all=len(images))]
        )
        st.markdown(_("Read correctly: {runtimes}", runtimes=" ".join(badges)))
    show_comparison_state(run, cases)
    with st.container(horizontal=True):
        for case in cases:
            labels = {name: read[case] for name, read in answers.items() if case in read}
            drawing_card(run, case, labels, has_picture=case in images)


def show_comparison_state(run: Run, cases: list[drawings.SavedDrawing]) -> None:
    """Show whether the comparison includes these cases, with a button to compare again."""
    try:
        record = run.record("compare")
    except RunError:  # damaged; the Compare page shows the error
        record = None
    if record and drawings.compared_exactly(record, cases):
        st.caption(_("The comparison includes these drawings."))
        return
    st.caption(_("The next comparison includes these drawings."))
    config = CompareConfig.from_json(record.config) if record else CompareConfig()
    jobs.start_button(
        _("Compare with these drawings"),
        lambda: run,
        ["compare", *arguments(config, CompareConfig()), *arguments(data_of(run, "compare"), data_of(run))],
        icon=":material/balance:",
        disabled=jobs.is_busy(run),
        help=_("Compares all runtimes again, with the settings of the last comparison"),
    )


def drawing_card(run: Run, case: drawings.SavedDrawing, labels: dict[str, int], *, has_picture: bool) -> None:
    """One test case, without its picture if that cannot be read."""
    with st.container(border=True, width=150):
        try:
            if has_picture:
                st.image(str(drawings.picture_file(run, case)), width=112, alt=_("a {digit}", digit=case.label))
        except RunError as error:  # replaced by a link or removed since the images were read
            jobs.show_error(error)
        st.caption(_caption_text(case, labels))
        st.button(
            _("Remove"),
            key=f"remove-{case.file}",
            icon=":material/delete:",
            on_click=drawings.delete,
            args=(run, case),
            help=_("Removes the drawing from the run"),
        )


def _caption_text(case: drawings.SavedDrawing, labels: dict[str, int]) -> str:
    groups = by_label(labels)
    if not groups:
        return _("a {digit}", digit=case.label)
    if len(groups) == 1:
        label = next(iter(groups))
        if label == case.label:
            return _("a {digit}, read correctly by all", digit=case.label)
        return _("a {digit}, read as {label} by all", digit=case.label, label=label)
    wrong = (f"{', '.join(names)}: {label}" for label, names in groups.items() if label != case.label)
    return _("a {digit}; misread by {runtimes}", digit=case.label, runtimes="; ".join(wrong))
