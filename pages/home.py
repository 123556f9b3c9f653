"""Home: run the whole pipeline with one button, watch it, read the verdict; the runs; this machine."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from convnet_core.doctor import Examination
from convnet_core.errors import ConvNetError
from convnet_core.files import read_json, runs_root
from convnet_core.jobs import current
from convnet_core.library import delete_runs, list_runs, rename_run
from convnet_core.overview import Overview, StageView, overview, stage_views
from convnet_core.report import format_share
from convnet_core.runs import Run
from pages import _jobs as jobs
from pages import _shared as shared

shared.through_the_app()
st.title("PyTorch → TensorFlow, proven equal")
st.write(
    "One button trains a network on handwritten digits in PyTorch, exports it to ONNX, converts it to TensorFlow and "
    "LiteRT, and compares every runtime on the whole test set. It takes one to two minutes and needs no download."
)

_MARKS = {
    "missing": ":gray[:material/radio_button_unchecked:]",
    "waiting": ":gray[:material/schedule:]",
    "running": ":blue[:material/progress_activity:]",
    "fresh": ":green[:material/check_circle:]",
    "stale": ":orange[:material/warning:]",
    "stopped": ":orange[:material/pause_circle:]",
    "failed": ":red[:material/error:]",
}
_MADE_OF = {"train": "PyTorch", "export": "ONNX", "convert": "TF", "compare": "proof"}
_MOST_RUNS = 50


def picture(views: dict[str, StageView]) -> None:
    """The pipeline as a row of boxes with the state of each stage."""
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        for number, view in enumerate(views.values()):
            if number:
                st.markdown(":gray[:material/arrow_forward:]", width="content")
            with st.container(border=True, width=166, gap="small"):
                st.page_link(f"pages/{view.name}.py", label=f"**{view.name.title()}** → {_MADE_OF[view.name]}")
                st.markdown(f"{_MARKS[view.state]} {view.state}")
                st.caption(view.detail or "\u2002")


def show(run: Run) -> None:
    """One run: its pipeline, its newest job, its verdict."""
    st.subheader(run.info.get("title", run.name))
    slot = st.container()
    at_work = jobs.area(run, draw=None)
    views = stage_views(run, current(run))
    with slot:
        picture(views)
    if at_work:
        return
    states = {view.state for view in views.values()}
    if "stale" in states or ("fresh" in states and "missing" in states):
        shared.refresh_button(run, "Bring up to date")
    if views["compare"].state == "fresh":
        folder = run.path / "compare"
        shared.runtimes(read_json(folder / "report.json"))
        with st.container(horizontal=True):
            st.download_button(
                "Download the report",
                (folder / "report.html").read_bytes(),
                f"{run.name}.html",
                "text/html",
                icon=":material/download:",
            )
            st.page_link("pages/sketchpad.py", label="Draw a digit", icon=":material/draw:")


def runs(chosen: Run) -> None:
    """The recent runs; rename and delete the chosen one."""
    st.subheader("Recent runs")
    found = [overview(run) for run in list_runs(runs_root())[:_MOST_RUNS]]
    picked = st.dataframe(
        [_line(item) for item in found],
        hide_index=True,
        width="stretch",
        on_select="rerun",
        selection_mode="single-row",
        key=f"runs-{chosen.name}",
    )
    rows = picked["selection"]["rows"]
    if rows and found[rows[0]].name != chosen.name:
        st.session_state["open_run"] = found[rows[0]].name
        st.rerun()
    with st.container(horizontal=True):
        with st.popover("Rename", icon=":material/edit:"):
            name = st.text_input("New name", chosen.name, help="Letters, digits, space and . _ + -, at most 100")
            st.button("Rename the run", on_click=rename, args=(chosen, name))
        with st.popover("Delete", icon=":material/delete:"):
            st.write(f"Delete **{chosen.name}** with all its files?")
            st.button("Delete the run", on_click=delete, args=(chosen,))
    if error := st.session_state.pop("runs_error", None):
        st.error(error)


def _line(item: Overview) -> dict[str, str]:
    return {
        "Run": item.name,
        "State": (item.running and f"{item.running} is running") or ("stopped" if item.resumable else "idle"),
        "Data": Path(item.data).name if item.data else "–",
        "Network": item.architecture or "–",
        "Accuracy": format_share(item.accuracy),
        "Verdict": item.verdict or "–",
        "Created": item.created[:16].replace("T", " "),
    }


def rename(run: Run, name: str) -> None:
    """Give the run another name; an error is shown below the button."""
    try:
        st.session_state["open_run"] = rename_run(run, name).name
    except ConvNetError as error:
        st.session_state["runs_error"] = f"{error}. {error.hint}".strip()


def delete(run: Run) -> None:
    """Delete the run; refused while a job is at work on it."""
    try:
        delete_runs([run])
    except ConvNetError as error:
        st.session_state["runs_error"] = f"{error}. {error.hint}".strip()


@st.cache_resource(show_spinner=False, ttl=600)
def examination() -> Examination:
    """A look at this machine, in a process of its own, since it imports torch."""
    return Examination()


@st.fragment(run_every=1.0)
def machine() -> None:
    """The devices, and what is missing with the command that mends it."""
    checks = examination().checks
    if checks is None:
        st.caption("Looking at the devices and libraries …")
        return
    for check in checks:
        if check.name.startswith(("device", "GPU")):
            st.markdown(f":material/memory: **{check.name}**: {check.found}")
    missing = [check for check in checks if not check.ok]
    for check in missing:
        st.warning(f"{check.name}: {check.found}")
        st.code(check.mend, language="bash")
    if not missing:
        st.markdown(":material/check_circle: Every library is installed in its tested version.")


run = shared.chosen_run()
shared.pipeline_button(disabled=bool(run and jobs.busy(run)))
if run:
    show(run)
    runs(run)
st.subheader("This machine")
machine()
