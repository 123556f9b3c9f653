"""Home: run the whole pipeline with one button, watch it, read the verdict."""

from __future__ import annotations

import streamlit as st

from convnet_core import jobs
from convnet_core.errors import ConvNetError
from convnet_core.files import read_json, runs_root
from convnet_core.library import list_runs, new_run
from convnet_core.runs import STAGES, Run
from pages import _shared as shared

shared.through_the_app()
st.title("PyTorch → TensorFlow, proven equal")
st.write(
    "One button trains a network on handwritten digits in PyTorch, exports it to ONNX, converts it to TensorFlow and "
    "LiteRT, and compares every runtime on the whole test set. It takes one to two minutes and needs no download."
)

_ICONS = {"fresh": ":material/check_circle:", "stale": ":material/warning:", "missing": ":material/circle:"}


def start() -> None:
    """Make a run and start the pipeline on it."""
    try:
        run = new_run(runs_root(), "fast-strokes")
        jobs.start(run, ["pipeline", "--preset", "fast", "--data", "strokes"])
        st.session_state["open_run"] = run.name
    except ConvNetError as error:
        st.session_state["failed"] = f"{error} {error.hint}"


def stages_of(run: Run) -> None:
    """The pipeline as a row: the state of each stage."""
    for column, stage in zip(st.columns(len(STAGES)), STAGES, strict=True):
        state = run.state(stage)
        column.markdown(f"{_ICONS[state.state]} **{stage.split('/')[0]}**  \n{state.state}", help=state.reason or None)


def show(run: Run) -> None:
    """One run: its stages, its newest job, its verdict."""
    st.subheader(run.info.get("title", run.name))
    job, info = jobs.current(run) or (None, None)
    if job and info and info.live:
        shared.follow(job)
        return
    stages_of(run)
    if job and info and info.state != "done":
        shared.ended_badly(job, info)
    if run.state("compare").state == "fresh":
        folder = run.path / "compare"
        shared.runtimes(read_json(folder / "report.json"))
        st.download_button(
            "Download the report", (folder / "report.html").read_bytes(), f"{run.name}.html", "text/html"
        )


if failed := st.session_state.pop("failed", None):
    st.error(failed)
found = list_runs(runs_root())
busy = any(current[1].live for run in found[:5] if (current := jobs.current(run)))
st.button("Run the pipeline", type="primary", icon=":material/play_arrow:", on_click=start, disabled=busy)
if run := shared.chosen_run():
    show(run)
