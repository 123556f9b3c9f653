"""What the pages share: the choice of a run, the live view of a job, the table of runtimes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from convnet_core.events import Message, Metrics, Progress, StageDone, StageStarted
from convnet_core.files import runs_root
from convnet_core.jobs import JobInfo, JobView
from convnet_core.library import list_runs
from convnet_core.report import format_error, format_share, format_size
from convnet_core.runs import STAGES, Run

_PAGES = Path(__file__).parent
_STAGES = ("train", "export", "convert", "compare")


def frame() -> StreamlitPage:
    """What surrounds every page: its set-up, the menu, the run picker. Gives the page that the address asks for."""
    st.set_page_config(page_title="ConvNet: PyTorch to TensorFlow", page_icon=":material/account_tree:", layout="wide")
    page = st.navigation(
        {
            "Start": [st.Page(_PAGES / "home.py", title="Home", icon=":material/home:", url_path="home", default=True)],
            "Prove": [st.Page(_PAGES / "compare.py", title="Compare", icon=":material/balance:", url_path="compare")],
        }
    )
    _choose_run()
    return page


@contextlib.contextmanager
def inside_app() -> Iterator[None]:
    """While app.py runs a page."""
    st.session_state["frame"] = "drawn"
    try:
        yield
    finally:
        st.session_state["frame"] = "known"


def through_the_app() -> None:
    """First call of each page: draw the frame where app.py has not.

    Streamlit 1.67 executes `pages/x.py` by itself when /x is the first request to a new server, since it
    knows of `st.navigation` only once that was called. AppTest does so at every run but the first; there the
    menu is known already, and naming the pages once more would give the page's widgets other identities.
    """
    match st.session_state.get("frame"):
        case "drawn":
            return
        case "known":
            _choose_run()
        case _:
            frame()


def _choose_run() -> None:
    """The run picker in the sidebar. The choice is kept in the address, so that a reload finds it again.

    Drawn by app.py on every page, because a widget that a page draws forgets its value on the next page.
    """
    names = [run.name for run in list_runs(runs_root())]
    if not names:
        return
    wanted = st.session_state.pop("open_run", None) or st.session_state.get("run") or st.query_params.get("run")
    if st.session_state.get("run") not in names or wanted != st.session_state.get("run"):
        st.session_state["run"] = wanted if wanted in names else names[0]
    st.sidebar.selectbox("Run", names, key="run", help="The run that every page shows; a new one is made on Home")
    st.query_params["run"] = st.session_state["run"]


def chosen_run() -> Run | None:
    """The run that the picker shows; None where there is none yet."""
    name = st.session_state.get("run")
    path = runs_root() / name if name else None
    return Run.open(path) if path and (path / "run.json").is_file() else None


def need(stage: str, what: str) -> Run:
    """The chosen run with a stage in it; otherwise says what to do, offers the way there, and ends the page."""
    run = chosen_run()
    if run is not None and run.state(stage).state != "missing":
        return run
    if run is None:
        st.info(f"{what} needs a run. The home page makes one with one button.")
    else:
        st.info(f"The run {run.name} has no {stage.split('/')[0]} yet. Run the pipeline on the home page.")
    st.page_link("pages/home.py", label="Go to Home", icon=":material/home:")
    return st.stop()


def warn_of_stale(run: Run, stage: str) -> bool:
    """Say so when a stage no longer belongs to what is ahead of it, and what to run again; whether it is so."""
    state = run.state(stage)
    if state.state != "stale":
        return False
    again = [name.split("/")[0] for name in STAGES if run.state(name).state == "stale"]
    st.warning(
        f"This is stale: {state.reason}. Run again, in this order: {', '.join(again)}.", icon=":material/warning:"
    )
    return True


@st.fragment(run_every=1.0)
def follow(job: JobView) -> None:
    """Show a job's progress each second; when it has ended, draw the page again."""
    info = job.info
    events, _ = job.events()
    done = {event.stage: event for event in events if isinstance(event, StageDone)}
    begun = [event.stage for event in events if isinstance(event, StageStarted)]
    for stage in _STAGES if info.command == "pipeline" else (info.command,):
        if stage in done:
            st.markdown(f":material/check_circle: **{stage}**: {done[stage].summary} ({done[stage].seconds:.1f} s)")
        elif stage in begun:
            st.markdown(f":material/progress_activity: **{stage}**")
            _latest(events)
        else:
            st.markdown(f":material/schedule: {stage}")
    if not info.live:
        st.rerun()
    if st.button("Stop", icon=":material/stop_circle:", help="A training saves first, and can be resumed"):
        job.stop()
        st.toast("Stopping")


def _latest(events: list[Any]) -> None:
    """The newest progress of the stage that runs."""
    for event in reversed(events):
        if isinstance(event, StageStarted):
            return
        if isinstance(event, Message):
            st.caption(event.text)
            return
        if isinstance(event, Progress):
            st.progress(event.done / max(1, event.total), text=event.label)
            return
        if isinstance(event, Metrics):
            text = f"{100 * event.accuracy:.1f} % right, {event.images_per_second:,.0f} images/s"
            st.progress(event.step / event.total_steps, text=f"{text}, {event.seconds_left:.0f} s left")
            return


def ended_badly(job: JobView, info: JobInfo) -> None:
    """Why a job failed, died or was stopped, how to mend it, and its log."""
    show = st.info if info.state == "stopped" else st.error
    show(f"{info.command}: {info.error}" + (f"\n\n{info.hint}" if info.hint else ""))
    log = job.log()
    if log and info.state != "stopped":
        with st.expander("Log"):
            st.code(log[-20_000:], language=None)


def runtimes(report: dict[str, Any], *, stale: bool = False) -> None:
    """The verdict and the table of runtimes of a report.json. A stale verdict is not shown as one that holds."""
    if stale:
        st.info(f"When these were compared, the verdict was: {report['verdict']}.", icon=":material/history:")
    elif report["verdict"] == "agree":
        st.success(f"All runtimes agree with {report['reference']}.", icon=":material/verified:")
    else:
        failed = ", ".join(line["name"] for line in report["runtimes"] if not line["passed"])
        st.error(f"Not all runtimes agree with {report['reference']}: {failed}", icon=":material/error:")
    st.dataframe(
        [
            {
                "Runtime": line["name"],
                "Converter": line["converter"] or "–",
                "Verdict": "✓ pass" if line["passed"] else f"✗ {line['reason']}",
                "Size": format_size(line["bytes"]),
                "Accuracy": format_share(line["accuracy"]),
                "Equal labels": format_share(line["label_agreement"]),
                "Largest error": format_error(line["max_abs_error"]),
            }
            for line in report["runtimes"]
        ],
        hide_index=True,
        width="stretch",
    )
