"""Test cases on a page: keep a drawing, see which runtimes read the kept ones right, remove them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from convnet_core import cases
from convnet_core.cli.flags import arguments
from convnet_core.config import CompareConfig
from convnet_core.data.drawing import Grey
from convnet_core.errors import ConvNetError, RunError
from convnet_core.provenance import data_of
from convnet_core.reader import Reader, by_label
from convnet_core.runs import Run
from pages.components import job_area as jobs


def keeping(run: Run, drawing: Grey, guess: int | None) -> None:
    """Keep the drawing with its true digit."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        label = st.segmented_control(
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
    try:
        cases.keep(run, drawing, int(label))
    except ConvNetError as error:
        jobs.explain(error)
        return
    st.toast(f"Kept as a {label}", icon=":material/bookmark_added:")
    st.rerun()


@st.cache_data(show_spinner=False, max_entries=8)
def images_of(path: Path, found: list[cases.Case]) -> Any:
    """The prepared images of test cases, and their labels. A case's name stands for its pixels."""
    return cases.load(Run(path), found)


def kept(run: Run, reader: Reader) -> None:
    """The drawings that were kept: which runtimes read them right, and a button to remove each."""
    st.subheader("Test cases")
    found = cases.cases(run)
    if not found:
        st.caption("None yet. A drawing that you keep becomes one: each comparison then includes it.")
        return
    try:
        images, labels = images_of(run.path, found)
    except ConvNetError as error:
        jobs.explain(error)
        return
    answers = {} if reader.loading else {name: answer.labels for name, answer in reader.read(images).items()}
    if answers:
        right = {name: int((said == labels).sum()) for name, said in answers.items()}
        badges = (
            f":{'green' if count == len(found) else 'orange'}-badge[{name}: {count} of {len(found)}]"
            for name, count in right.items()
        )
        st.markdown(f"Read right: {' '.join(badges)}")
    included(run, found)
    with st.container(horizontal=True):
        for place, case in enumerate(found):
            case_card(run, case, {name: int(said[place]) for name, said in answers.items()})


def included(run: Run, found: list[cases.Case]) -> None:
    """Whether the comparison knows these cases, with the button that makes it so."""
    try:
        record = run.record("compare")
    except RunError:  # damaged, as the page Compare says
        record = None
    if record and cases.compared(record, found):
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


def case_card(run: Run, case: cases.Case, labels: dict[str, int]) -> None:
    """One test case."""
    with st.container(border=True, width=150):
        try:
            st.image(str(cases.picture(run, case)), width=112)
        except RunError as error:  # a link, or removed elsewhere, since the images were read
            jobs.explain(error)
        st.caption(_said(case, labels))
        st.button(
            "Remove",
            key=f"remove-{case.file}",
            icon=":material/delete:",
            on_click=cases.delete,
            args=(run, case),
            help="Takes the drawing out of the run",
        )


def _said(case: cases.Case, labels: dict[str, int]) -> str:
    groups = by_label(labels)
    if not groups:
        return f"a {case.label}"
    if len(groups) == 1:
        label = next(iter(groups))
        return f"a {case.label}, read {'right' if label == case.label else f'as {label}'} by all"
    wrong = (f"{', '.join(names)}: {label}" for label, names in groups.items() if label != case.label)
    return f"a {case.label}; read wrong by {'; '.join(wrong)}"
