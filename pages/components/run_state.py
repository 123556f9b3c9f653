"""The run that the pages show: which one, what it lacks, what in it is stale, and the files that it gives out."""

from __future__ import annotations

from typing import Any

import streamlit as st

from convnet_core.common.files import runs_root
from convnet_core.errors import RunError
from convnet_core.runs.library import new_run
from convnet_core.runs.run import Run
from convnet_core.runs.stage_folders import STAGES
from pages.components import job_area as jobs


def chosen_run() -> Run | None:
    """The run that the picker shows; None where there is none yet."""
    name = st.session_state.get("run")
    path = runs_root() / name if name else None
    return Run.open(path) if path and (path / "run.json").is_file() else None


def begin_with(run: Run, **values: Any) -> None:
    """Put widgets at a run's own values when that run is shown for the first time after another; for their keys."""
    for key, value in values.items():
        mark = f"{key} of"
        if st.session_state.get(mark, run.name) != run.name:
            st.session_state[key] = value
        st.session_state[mark] = run.name


def need(stage: str, what: str) -> Run:
    """The chosen run with a stage in it; otherwise says what to do, with the button that does it, and ends the page.

    `what` begins the sentence: "Comparing" needs a run.
    """
    run = chosen_run()
    if run is not None and run.state(stage).state != "missing":
        return run
    jobs.refusal()
    if run is None or not jobs.area(run):
        if run is None or run.state("train").state == run.state("export").state == "missing":
            st.info(f"{what} needs a trained network. One button makes all, in one to two minutes.")
            pipeline_button()
            st.page_link("pages/train.py", label="Or train one with your own settings", icon=":material/tune:")
            st.page_link("pages/home.py", label="Or bring a network of your own as ONNX", icon=":material/upload_file:")
        else:
            st.info(f"The run {run.name} has no {stage.split('/')[0]} yet.")
            refresh_button(run, "Make what is missing")
    return st.stop()


def digits_only(what: str) -> bool:
    """Say so where the chosen run holds a model from elsewhere; `what` begins the sentence. Whether it is so."""
    run = chosen_run()
    if run is None or not run.is_model:
        return False
    st.info(
        f"The run **{run.name}** holds a model from elsewhere. {what} a network that reads digits: choose another run "
        "in the sidebar, or make one with one button on Home.",
        icon=":material/draw:",
    )
    with st.container(horizontal=True):
        st.page_link("pages/home.py", label="Home", icon=":material/home:")
        st.page_link("pages/export.py", label="Look at this model", icon=":material/account_tree:")
        st.page_link("pages/convert.py", label="Convert it", icon=":material/transform:")
    return True


def download(run: Run, name: str, label: str, file_name: str, **options: Any) -> None:
    """A button for the file at a path inside the run, which is read when it is asked for; or why it is not given out.

    That is found out here as well, since Streamlit would then say "Failed to generate file" alone.
    """
    try:
        run.file(name)
    except RunError as error:
        jobs.explain(error)
        return
    st.download_button(label, lambda: run.file(name).read_bytes(), file_name, **options)


def pipeline_button(*, disabled: bool = False) -> None:
    """Everything with one click: a new run, the preset `fast` on the embedded data."""
    jobs.start_button(
        "Run the pipeline",
        lambda: new_run(runs_root(), "fast-strokes"),
        ["pipeline", "--preset", "fast", "--data", "strokes"],
        type="primary",
        icon=":material/play_arrow:",
        disabled=disabled,
        help="Trains on generated handwriting, exports, converts and compares, into a new run",
    )


def refresh_button(run: Run, label: str) -> None:
    """Run what is missing or stale in a run."""
    jobs.start_button(
        label,
        lambda: run,
        ["refresh"],
        type="primary",
        icon=":material/refresh:",
        help="Runs each stage that is missing or stale, in order, with the settings that it had",
    )


def warn_of_stale(run: Run, stage: str) -> bool:
    """Say so when a stage no longer belongs to what is ahead of it, with the button that mends it; whether it is so."""
    state = run.state(stage)
    if state.state != "stale":
        return False
    again = [name.split("/")[0] for name in STAGES if run.state(name).state == "stale"]
    st.warning(f"This is stale: {state.reason}. To run again: {', '.join(again)}.", icon=":material/warning:")
    refresh_button(run, "Bring up to date")
    return True
