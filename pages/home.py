"""Home: run the pipeline with one button, watch it, read the verdict; list the runs; check this machine."""

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
from convnet_core.runs.stage_results import ImportResult
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
_PRODUCTS = {"train": "PyTorch", "export": "ONNX", "convert": "TF", "compare": "proof"}
_MOST_RUNS = 50


def main() -> None:
    """The page, from top to bottom."""
    st.title("PyTorch → TensorFlow, proven equal")
    st.write(
        "One button trains a network on handwritten digits in PyTorch, exports it to ONNX, converts it to TensorFlow "
        "and LiteRT, and compares every runtime on the whole test set. It takes one to two minutes and needs no "
        "download."
    )
    run = shared.selected_run()
    if run:
        reject_upload(run)
    left, right = st.columns(2, gap="large")
    with left:
        shared.pipeline_button(disabled=bool(run and jobs.is_busy(run)))
    with right:
        upload_model()
    jobs.show_start_error()
    if run:
        show(run)
        show_runs(run)
    st.subheader("This machine")
    show_machine()


def show_stages(run: Run) -> None:
    """Show the pipeline as a row of boxes with the state of each stage."""
    views = stage_views(run, watcher.current(run))
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        for number, view in enumerate(views.values()):
            if number:
                st.markdown(":gray[:material/arrow_forward:]", width="content")
            with st.container(border=True, width=166, gap="small"):
                st.page_link(f"pages/{view.name}.py", label=f"**{view.name.title()}** → {_product(view)}")
                st.markdown(f"{_MARKS[view.state]} {view.state}")
                st.caption(view.detail or "\u2002")


def _product(view: StageView) -> str:
    """The product of a stage, or the converter if it is not the pipeline's."""
    return view.converter if view.converter not in ("", "native") else _PRODUCTS[view.name]


def show(run: Run) -> None:
    """Show a run: its pipeline, its latest job, and its verdict."""
    st.subheader(run.title)
    if jobs.show_job(run, head=lambda _: show_stages(run)):
        return
    show_stages(run)
    states = [run.state(stage).state for stage in run.stages]
    if run.is_model and states[0] == "fresh" and set(states[1:]) == {"missing"}:
        show_next_steps(run)
    elif set(states) != {"fresh"} and (set(states) != {"missing"} or overview(run).resumable):
        shared.refresh_button(run, "Bring up to date")
    if run.state("compare").state == "fresh":
        report_table.show_report(report_file.load(run))
        with st.container(horizontal=True):
            shared.download_button(
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


def show_next_steps(run: Run) -> None:
    """Show what to do with a newly imported model."""
    result = run.require("export").result_as(ImportResult)
    if result.repairs:
        st.info("The model was repaired while it was opened.", icon=":material/build:")
        st.dataframe([{"Repair": text} for text in result.repairs], hide_index=True, width="stretch")
    if result.faults:
        st.warning("The native converter does not support this model; the Convert page shows why.")
        st.page_link("pages/convert.py", label="See the unsupported nodes", icon=":material/transform:")
    else:
        shared.refresh_button(run, "Convert and compare")
    st.page_link("pages/export.py", label="Look at the model first", icon=":material/account_tree:")


def upload_model() -> None:
    """An uploader for ONNX models; each gets its own run, which a job opens."""
    count = st.session_state.setdefault("uploads", 0)  # a new number makes a new, empty widget
    file = st.file_uploader(
        "Or import your own network as ONNX",
        "onnx",
        key=f"upload {count}",
        help="It is checked, converted, compared and measured like the digit network. It stays on this machine. The "
        "file must contain the weights",
    )
    st.caption(f"Up to {upload.MAX_MB} MB. Import larger files on the command line: `{_LARGER}`")
    if file is None:
        return
    st.session_state["uploads"] = count + 1
    jobs.clear_start_error()
    try:
        run, path = upload.receive(runs_root(), file.name, file.getbuffer())
        watcher.start(run, ["upload", "--onnx", str(path), "--compare"])
        st.session_state["open_run"] = run.name
    except ConvNetError as error:
        jobs.set_start_error(error)
    st.rerun()


def reject_upload(run: Run) -> None:
    """Show why an upload failed, and delete its run."""
    newest = watcher.newest(run, "upload")
    if newest is None or newest[1].live or not upload.is_refused(run):
        return
    jobs.set_start_error(upload.why_refused(newest[1]))
    delete_runs([run])
    st.rerun()


def show_runs(chosen: Run) -> None:
    """Show the recent runs, and buttons to rename and delete the selected one."""
    st.subheader("Recent runs")
    overviews = [overview(run) for run in list_runs(runs_root())[:_MOST_RUNS]]
    selection = st.dataframe(
        [_row(item) for item in overviews],
        hide_index=True,
        width="stretch",
        on_select="rerun",
        selection_mode="single-row",
        key=f"runs {chosen.name} {[item.name for item in overviews]}",  # a selection is a row number
    )
    rows = selection.selection.rows
    if rows and overviews[rows[0]].name != chosen.name:
        st.session_state["open_run"] = overviews[rows[0]].name
        st.rerun()
    with st.container(horizontal=True):
        with st.popover("Rename", icon=":material/edit:"):
            name = st.text_input("New name", chosen.name, help="At most 100 letters, digits, spaces and . _ + -")
            if st.button("Rename the run"):
                rename(chosen, name)
        with st.popover("Delete", icon=":material/delete:"):
            st.write(f"Delete **{chosen.name}** with all its files?")
            if st.button("Delete the run"):
                delete_runs([chosen])
                st.rerun()


def _row(item: Overview) -> dict[str, str]:
    return {
        "Run": item.name,
        "State": (item.running and f"{item.running} is running") or ("stopped" if item.resumable else "idle"),
        "Data": Path(item.data).name if item.data else "–",
        "Network": item.architecture or ("imported" if "train" not in item.stages else "–"),
        "Accuracy": format_share(item.accuracy),
        "Verdict": item.verdict or "–",
        "Created": item.created[:16].replace("T", " "),
    }


def rename(run: Run, name: str) -> None:
    """Rename the run and select it again."""
    st.session_state["open_run"] = rename_run(run, name).name
    st.rerun()


@st.cache_resource(show_spinner=False, on_release=Examination.close)
def machine_checks() -> Examination:
    """Checks of this machine, in a separate process because they import torch."""
    return Examination()


def show_machine() -> None:
    """Show the devices and missing libraries, polling until the checks are done."""
    st.fragment(show_checks, run_every=1.0 if machine_checks().checks is None else None)()


def show_checks() -> None:
    """Show the machine's devices, and missing libraries with the command that installs them."""
    checks = machine_checks().checks
    if checks is None:
        st.session_state["looking"] = True
        st.caption("Checking devices and libraries …")
        return
    if st.session_state.pop("looking", False):
        st.rerun()  # the next draw of the page stops polling
    for check in checks:
        if check.name.startswith(("device", "GPU")):
            st.markdown(f":material/memory: **{check.name}**: {check.detail}")
    missing = [check for check in checks if not check.ok]
    for check in missing:
        st.warning(f"{check.name}: {check.detail}")
        st.code(check.fix, language="bash")
    if not missing:
        st.markdown(":material/check_circle: All libraries are installed in their tested versions.")


frame.show(main)
