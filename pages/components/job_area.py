"""How the pages start a job, follow it, and say how it ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from convnet_core.errors import ConvNetError
from convnet_core.events import Message, Metrics, Progress
from convnet_core.jobs import watcher
from convnet_core.jobs.job_info import JobInfo
from convnet_core.jobs.job_progress import JobProgress, progress_of
from convnet_core.jobs.watcher import JobView
from convnet_core.runs.run import Run

_STAGES = ("train", "export", "convert", "compare")
_FOLLOW_SECONDS = 0.5


def start_button(label: str, make: Callable[[], Run], arguments: Sequence[str], **options: Any) -> None:
    """A button that starts a command on a run and shows that run; `make` gives the run when it is pressed.

    Not a callback: its arguments would be those of the page's last draw, and a slider that was moved just before the
    click would not count. An error is said by `refusal`.
    """
    if not st.button(label, **options):
        return
    forget_error()
    try:
        run = make()
        watcher.start(run, arguments)
        st.session_state["open_run"] = run.name
    except ConvNetError as error:
        keep_error(error)
    st.rerun()


def keep_error(error: ConvNetError) -> None:
    """Have `refusal` say why nothing was started, until the person does something else.

    Not for one draw only: a fragment that asks for a new one of its own accord would take the message away unread.
    Its words alone: an error that was raised holds what its functions held, an uploaded file too.
    """
    st.session_state["start_error"] = ConvNetError(str(error), error.hint)


def forget_error() -> None:
    """The person went on: to another page, another run, another start."""
    st.session_state.pop("start_error", None)


def explain(error: ConvNetError) -> None:
    """What is wrong, and how to mend it."""
    st.error(f"{error}" + (f"\n\n{error.hint}" if error.hint else ""))


Draw = Callable[[JobProgress], None]


def refusal() -> None:
    """Why nothing was started, where that is so."""
    if error := st.session_state.get("start_error"):
        explain(error)


def area(run: Run, *stages: str, head: Draw | None = None, draw: Draw | None = None) -> bool:
    """The run's job: followed while it lives, explained where it ended badly. Whether one is at work.

    A job that ended badly is shown where it was at one of `stages` (anywhere when none is named); one at work
    always. `head` and `draw` show more of a job at work, above and below, each half second.
    """
    found = watcher.current(run)
    if found is None:
        return False
    job, info = found
    if info.live:
        _follow(job, head, draw)
        return True
    if info.state != "done" and (not stages or {info.command, progress_of(job).current_stage} & set(stages)):
        ended_badly(job, info)
    return False


def busy(run: Run) -> bool:
    """Whether a job is at work on the run."""
    found = watcher.current(run)
    return found is not None and found[1].live


@st.fragment(run_every=_FOLLOW_SECONDS)
def _follow(job: JobView, head: Draw | None, draw: Draw | None) -> None:
    """A job at work; when it has ended, the page is drawn again."""
    info = job.info
    told = progress_of(job)
    if not info.live:
        st.rerun()
    # Each part in a place of its own: where one grows or shrinks, the old Stop must not stand beside the new one.
    above, lines, stop, below = (st.container() for _ in range(4))
    if head:
        with above:
            head(told)
    with lines:
        _lines(info, told)
    with stop:
        _stop(job)
    if draw:
        with below:
            draw(told)


def _lines(info: JobInfo, told: JobProgress) -> None:
    """The stages of the job: done, at work, to come."""
    for place, stage in enumerate(_STAGES if info.command == "pipeline" else told.started or (info.command,)):
        if stage in told.done:
            done = told.done[stage]
            st.markdown(f":material/check_circle: **{stage}**: {done.summary} ({done.seconds:.1f} s)")
        elif stage in told.started:
            st.markdown(f":material/progress_activity: **{stage}**")
            _latest(told)
        else:
            st.markdown(f":material/schedule: {stage}" + (" is starting" if not (place or told.started) else ""))


def _stop(job: JobView) -> None:
    """The button that stops the job, or that it was pressed."""
    if job.stop_requested:
        st.info("Stopping: a training saves first, and can be resumed.", icon=":material/stop_circle:")
    else:
        st.button(
            "Stop",
            icon=":material/stop_circle:",
            help="A training saves first, and can be resumed; any other stage leaves its old result as it was",
            on_click=_ask_to_stop,
            args=(job,),
        )


def _ask_to_stop(job: JobView) -> None:
    """Where the disk refuses, `refusal` says so."""
    try:
        job.stop()
    except ConvNetError as error:
        keep_error(error)


def _share(done: float, total: float) -> float:
    """How much is done, from 0 to 1, whatever a run folder from elsewhere says."""
    return min(1.0, max(0.0, done / total)) if total > 0 else 0.0


def _latest(told: JobProgress) -> None:
    """The newest progress of the stage that runs."""
    match told.latest:
        case Message(text=text) if text.startswith("queued"):
            st.info(text[0].upper() + text[1:], icon=":material/hourglass:")
        case Message(text=text):
            st.caption(text)
        case Progress(label=label, done=done, total=total):
            st.progress(_share(done, total), text=label)
        case Metrics() as metrics:
            text = f"{100 * metrics.accuracy:.1f} % right, {metrics.images_per_second:,.0f} images/s"
            st.progress(_share(metrics.step, metrics.total_steps), text=f"{text}, {metrics.seconds_left:.0f} s left")


def ended_badly(job: JobView, info: JobInfo) -> None:
    """Why a job failed, died or was stopped, how to mend it, and its log."""
    show = st.info if info.state == "stopped" else st.error
    show(f"{info.command}: {info.error}" + (f"\n\n{info.hint}" if info.hint else ""))
    log = job.log()
    if log and info.state != "stopped":
        with st.expander("Log"):
            st.code(log[-20_000:], language=None)
