"""What the pages share: the live view of a job, and the table of runtimes."""

from __future__ import annotations

from typing import Any

import streamlit as st

from convnet_core.events import Message, Metrics, Progress, StageDone, StageStarted
from convnet_core.jobs import JobInfo, JobView
from convnet_core.report import format_error, format_share, format_size

_STAGES = ("train", "export", "convert", "compare")


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


def runtimes(report: dict[str, Any]) -> None:
    """The verdict and the table of runtimes of a report.json."""
    if report["verdict"] == "agree":
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
