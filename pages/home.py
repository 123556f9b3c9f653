"""Home: run the whole pipeline with one button, watch it, read the verdict; the runs; this machine."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from convnet_core.common.files import runs_root
from convnet_core.common.formatting import format_share
from convnet_core.compare import report_file
from convnet_core.doctor import Examination
from convnet_core.errors import ConvNetError
from convnet_core.jobs import upload, watcher
from convnet_core.jobs.overview import Overview, StageView, overview, stage_views
from convnet_core.runs.library import delete_runs, list_runs, rename_run
from convnet_core.runs.run import Run
from pages.components import frame, report_table
from pages.components import job_area as jobs
from pages.components import run_state as shared

_LARGER = "python -m convnet_core convert --onnx FILE --run runs/mine"

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


def main() -> None:
    """The page, from top to bottom."""
    st.title("PyTorch → TensorFlow, proven equal")
    st.write(
        "One button trains a network on handwritten digits in PyTorch, exports it to ONNX, converts it to TensorFlow "
        "and LiteRT, and compares every runtime on the whole test set. It takes one to two minutes and needs no "
        "download."
    )
    run = shared.chosen_run()
    if run:
        refused(run)
    left, right = st.columns(2, gap="large")
    with left:
        shared.pipeline_button(disabled=bool(run and jobs.busy(run)))
    with right:
        bring_in()
    jobs.refusal()
    if run:
        show(run)
        runs(run)
    st.subheader("This machine")
    machine()


def picture(run: Run) -> None:
    """The pipeline as a row of boxes with the state of each stage."""
    views = stage_views(run, watcher.current(run))
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        for number, view in enumerate(views.values()):
            if number:
                st.markdown(":gray[:material/arrow_forward:]", width="content")
            with st.container(border=True, width=166, gap="small"):
                st.page_link(f"pages/{view.name}.py", label=f"**{view.name.title()}** → {_made(view)}")
                st.markdown(f"{_MARKS[view.state]} {view.state}")
                st.caption(view.detail or "\u2002")


def _made(view: StageView) -> str:
    """What a stage makes; a conversion by another converter than the pipeline's says by which."""
    return view.converter if view.converter not in ("", "native") else _MADE_OF[view.name]


def show(run: Run) -> None:
    """One run: its pipeline, its newest job, its verdict."""
    st.subheader(run.info.get("title", run.name))
    if jobs.area(run, head=lambda _: picture(run)):
        return
    picture(run)
    states = [run.state(stage).state for stage in run.stages]
    if run.is_model and states[0] == "fresh" and set(states[1:]) == {"missing"}:
        begin(run)
    elif set(states) != {"fresh"} and (set(states) != {"missing"} or overview(run).resumable):
        shared.refresh_button(run, "Bring up to date")
    if run.state("compare").state == "fresh":
        report_table.runtimes(report_file.load(run))
        with st.container(horizontal=True):
            shared.download(
                run,
                "compare/report.html",
                "Download the report",
                f"{run.name}.html",
                mime="text/html",
                icon=":material/download:",
            )
            if run.is_model:
                st.page_link("pages/benchmark.py", label="Measure how fast it is", icon=":material/speed:")
            else:
                st.page_link("pages/sketchpad.py", label="Draw a digit", icon=":material/draw:")


def begin(run: Run) -> None:
    """What to do with a model that was just brought in."""
    result = run.require("export").result
    if repairs := result.get("repairs"):
        st.info("The model was put right while it was opened.", icon=":material/build:")
        st.dataframe([{"Put right": text} for text in repairs], hide_index=True, width="stretch")
    if result.get("faults"):
        st.warning("The native converter cannot take this model as it is; the page Convert says why.")
        st.page_link("pages/convert.py", label="See what it cannot take", icon=":material/transform:")
    else:
        shared.refresh_button(run, "Convert and compare")
    st.page_link("pages/export.py", label="Look at the model first", icon=":material/account_tree:")


def bring_in() -> None:
    """The place for a model from elsewhere: a run of its own, opened by a job."""
    place = st.session_state.setdefault("uploads", 0)  # another number is another widget, and so an empty one
    file = st.file_uploader(
        "Or bring a network of your own, as ONNX",
        "onnx",
        key=f"upload {place}",
        help="It is checked, converted, compared and measured like the digit network. It stays on this machine, and "
        "its weights have to be in the file",
    )
    st.caption(f"Up to {upload.MAX_MB} MB. A larger one goes in on the command line: `{_LARGER}`")
    if file is None:
        return
    st.session_state["uploads"] = place + 1
    jobs.forget_error()
    try:
        run, path = upload.receive(runs_root(), file.name, file.getbuffer())
        watcher.start(run, ["upload", "--onnx", str(path)])
        st.session_state["open_run"] = run.name
    except ConvNetError as error:
        jobs.keep_error(error)
    st.rerun()


def refused(run: Run) -> None:
    """Say why nothing came of an upload, and leave nothing of it behind."""
    found = watcher.newest(run, "upload")
    if found is None or found[1].live or not upload.is_refused(run):
        return
    jobs.keep_error(upload.why_refused(found[1]))
    delete_runs([run])
    st.rerun()


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
        key=f"runs {chosen.name} {[item.name for item in found]}",  # a selection is a row's number
    )
    rows = picked["selection"]["rows"]
    if rows and found[rows[0]].name != chosen.name:
        st.session_state["open_run"] = found[rows[0]].name
        st.rerun()
    with st.container(horizontal=True):
        with st.popover("Rename", icon=":material/edit:"):
            name = st.text_input("New name", chosen.name, help="Letters, digits, space and . _ + -, at most 100")
            if st.button("Rename the run"):
                rename(chosen, name)
        with st.popover("Delete", icon=":material/delete:"):
            st.write(f"Delete **{chosen.name}** with all its files?")
            if st.button("Delete the run"):
                delete_runs([chosen])
                st.rerun()


def _line(item: Overview) -> dict[str, str]:
    return {
        "Run": item.name,
        "State": (item.running and f"{item.running} is running") or ("stopped" if item.resumable else "idle"),
        "Data": Path(item.data).name if item.data else "–",
        "Network": item.architecture or ("from elsewhere" if "train" not in item.stages else "–"),
        "Accuracy": format_share(item.accuracy),
        "Verdict": item.verdict or "–",
        "Created": item.created[:16].replace("T", " "),
    }


def rename(run: Run, name: str) -> None:
    """Give the run another name, and go on with it."""
    st.session_state["open_run"] = rename_run(run, name).name
    st.rerun()


@st.cache_resource(show_spinner=False)
def examination() -> Examination:
    """A look at this machine, in a process of its own, since it imports torch."""
    return Examination()


def machine() -> None:
    """The devices, and what is missing with the command that mends it; looked at again until it is known."""
    st.fragment(checks, run_every=1.0 if examination().checks is None else None)()


def checks() -> None:
    """What is known of this machine by now."""
    found = examination().checks
    if found is None:
        st.session_state["looking"] = True
        st.caption("Looking at the devices and libraries …")
        return
    if st.session_state.pop("looking", False):
        st.rerun()  # the page's next draw no longer asks each second
    for check in found:
        if check.name.startswith(("device", "GPU")):
            st.markdown(f":material/memory: **{check.name}**: {check.detail}")
    missing = [check for check in found if not check.ok]
    for check in missing:
        st.warning(f"{check.name}: {check.detail}")
        st.code(check.fix, language="bash")
    if not missing:
        st.markdown(":material/check_circle: Every library is installed in its tested version.")


frame.show(main)
