"""Home: run the whole pipeline with one button, watch it, read the verdict."""

from __future__ import annotations

import streamlit as st

from convnet_core.files import read_json
from convnet_core.runs import STAGES, Run
from pages import _jobs as jobs
from pages import _shared as shared

shared.through_the_app()
st.title("PyTorch → TensorFlow, proven equal")
st.write(
    "One button trains a network on handwritten digits in PyTorch, exports it to ONNX, converts it to TensorFlow and "
    "LiteRT, and compares every runtime on the whole test set. It takes one to two minutes and needs no download."
)

_ICONS = {"fresh": ":material/check_circle:", "stale": ":material/warning:", "missing": ":material/circle:"}


def stages_of(run: Run) -> None:
    """The pipeline as a row: the state of each stage."""
    for column, stage in zip(st.columns(len(STAGES)), STAGES, strict=True):
        state = run.state(stage)
        column.markdown(f"{_ICONS[state.state]} **{stage.split('/')[0]}**  \n{state.state}", help=state.reason or None)


def show(run: Run) -> None:
    """One run: its stages, its newest job, its verdict."""
    st.subheader(run.info.get("title", run.name))
    if jobs.area(run):
        return
    stages_of(run)
    if run.state("compare").state == "fresh":
        folder = run.path / "compare"
        shared.runtimes(read_json(folder / "report.json"))
        st.download_button(
            "Download the report", (folder / "report.html").read_bytes(), f"{run.name}.html", "text/html"
        )


run = shared.chosen_run()
shared.pipeline_button(disabled=bool(run and jobs.busy(run)))
if run:
    show(run)
