"""Start a job from a page, follow it, and show how it ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from convnet_core.common.formatting import capitalized, format_number, format_percent
from convnet_core.errors import ConvNetError
from convnet_core.events import Message, Metrics, Progress, Queued
from convnet_core.jobs import watcher
from convnet_core.jobs.job_info import JobInfo
from convnet_core.jobs.job_progress import JobProgress, progress_of
from convnet_core.jobs.watcher import JobView
from convnet_core.language import _
from convnet_core.runs.run import Run
from convnet_core.runs.stage_folders import LESSON_STAGES
from pages.components import remedy
from pages.components.names import name_of

_STAGES = ("train", "export", "convert", "compare")
_FOLLOW_SECONDS = 0.4  # a training reports as often


def start_button(label: str, create_run: Callable[[], Run], arguments: Sequence[str], **options: Any) -> None:
    """A button that starts a command on the run that `create_run` returns, and selects that run.

    Not a callback: its arguments would be from the page's previous draw, and would ignore a slider moved just before
    the click. `show_start_error` shows an error.
    """
    if not st.button(label, **options):
        return
    clear_start_error()
    try:
        run = create_run()
        watcher.start(run, arguments)
        st.session_state["open_run"] = run.name
    except ConvNetError as error:
        set_start_error(error)
    st.rerun()


def set_start_error(error: ConvNetError) -> None:
    """Store an error for `show_start_error`, until the user does something else.

    It has to survive automatic reruns of fragments, which would otherwise remove it unread. Only the text is stored: a
    raised error references the local variables of its functions, such as an uploaded file.
    """
    st.session_state["start_error"] = ConvNetError(str(error), error.hint)


def clear_start_error() -> None:
    """Clear the error, because the user went to another page or run, or started something else."""
    st.session_state.pop("start_error", None)


def show_error(error: ConvNetError) -> None:
    """Show an error and how to fix it."""
    st.error(remedy.text_of(error))
    remedy.show_link(error.hint)


Draw = Callable[[JobProgress], None]


def show_start_error() -> None:
    """Show why a job could not be started, if that happened."""
    if error := st.session_state.get("start_error"):
        show_error(error)


def show_job(
    run: Run, *stages: str, head: Draw | None = None, draw: Draw | None = None, every: float = _FOLLOW_SECONDS
) -> bool:
    """Follow the run's job, or show why it failed; returns whether a job is running.

    A failed job is shown only if it was at one of `stages` (if any are passed); a running job always. `head` shows the
    stages of a running job instead of a list, `draw` adds content below it; both run again after `every` seconds.
    """
    current = watcher.current(run)
    if current is None:
        return False
    job, info = current
    if info.live:
        st.fragment(_follow, run_every=every)(job, head, draw)
        return True
    if info.state != "done" and (not stages or _names(job, info) & set(stages)):
        show_failure(job, info)
    return False


def _names(job: JobView, info: JobInfo) -> set[str | None]:
    """The command of a job and its stage. A lesson is no dissection of the run, though the command makes both."""
    stage = progress_of(job).current_stage
    return {stage} if _is_lesson(stage) else {info.command, stage}


def _is_lesson(stage: str | None) -> bool:
    return stage is not None and stage.startswith(f"{LESSON_STAGES}/")


def is_making_lesson(run: Run) -> bool:
    """Whether a running job makes a lesson, which leaves the run as it is."""
    current = watcher.current(run)
    return current is not None and current[1].live and _is_lesson(progress_of(current[0]).current_stage)


def is_busy(run: Run) -> bool:
    """Whether a job is running on the run."""
    current = watcher.current(run)
    return current is not None and current[1].live


def _follow(job: JobView, head: Draw | None, draw: Draw | None) -> None:
    """Show a running job; redraw the page when it ends."""
    info = job.info
    progress = progress_of(job)
    if not info.live:
        st.rerun()
    # Separate containers, so that the old Stop button does not stay beside the new one when a part grows or shrinks.
    above, row, below = (st.container() for _ in range(3))
    with row.container(horizontal=True, vertical_alignment="bottom"):
        lines, stop = st.container(), st.container(width="content")
    if head:
        with above:
            head(progress)
    with lines:
        if head:
            _show_stage(progress.current_stage, progress)
        else:
            _show_stages(info, progress)
    with stop:
        _stop_button(job)
    if draw:
        with below:
            draw(progress)


def _show_stages(info: JobInfo, progress: JobProgress) -> None:
    """Show the job's stages: done, running and waiting."""
    for index, stage in enumerate(_STAGES if info.command == "pipeline" else progress.started or (info.command,)):
        if stage in progress.done:
            done = progress.done[stage]
            st.markdown(
                _(
                    ":material/check_circle: **{stage}**: {summary} ({seconds} s)",
                    stage=name_of(stage),
                    summary=done.summary,
                    seconds=format_number(done.seconds, 1),
                )
            )
        elif stage in progress.started:
            st.markdown(f":material/progress_activity: **{name_of(stage)}**")
            _show_progress(progress)
        else:
            st.markdown(f":material/schedule: {name_of(stage)}")
            if not (index or progress.started):
                st.progress(0.0, text=_("Starting"))


def _show_stage(stage: str | None, progress: JobProgress) -> None:
    """Show the running stage alone."""
    if stage is None:
        st.progress(0.0, text=_("Starting"))
    elif progress.latest is None:
        st.progress(0.0, text=capitalized(name_of(stage)))
    else:
        _show_progress(progress)


def _stop_button(job: JobView) -> None:
    """The Stop button, or a note that it was pressed."""
    if job.stop_requested:
        st.info(_("Stopping. A training is saved first and can be resumed."), icon=":material/stop_circle:")
    else:
        st.button(
            _("Stop"),
            icon=":material/stop_circle:",
            help=_("A training is saved first and can be resumed; other stages keep their previous result"),
            on_click=_request_stop,
            args=(job,),
        )


def _request_stop(job: JobView) -> None:
    """Request the stop; `show_start_error` shows a disk error."""
    try:
        job.stop()
    except ConvNetError as error:
        set_start_error(error)


def _fraction_done(done: float, total: float) -> float:
    """The fraction done, limited to 0 to 1 even if the run folder contains wrong numbers."""
    return min(1.0, max(0.0, done / total)) if total > 0 else 0.0


def _show_progress(progress: JobProgress) -> None:
    """Show the latest progress of the running stage."""
    match progress.latest:
        case None:
            st.progress(0.0, text=_("Loading the libraries"))
        case Queued(text=text):
            st.info(capitalized(text), icon=":material/hourglass:")
        case Message(text=text):
            st.caption(remedy.in_the_app(text))
        case Progress(label=label, done=done, total=total):
            st.progress(_fraction_done(done, total), text=capitalized(label))
        case Metrics() as metrics:
            text = _(
                "{accuracy} accuracy, {speed} images/s, {seconds} s left",
                accuracy=format_percent(metrics.accuracy),
                speed=format_number(metrics.images_per_second),
                seconds=format_number(metrics.seconds_left),
            )
            st.progress(_fraction_done(metrics.step, metrics.total_steps), text=text)


def show_failure(job: JobView, info: JobInfo) -> None:
    """Show why a job failed, died or was stopped, how to fix it, and its log."""
    show = st.info if info.state == "stopped" else st.error
    text = remedy.text_of(ConvNetError(str(info.error), info.hint))
    show(_("{stage}: {text}", stage=name_of(info.command), text=text))
    remedy.show_link(info.hint)
    log = job.log()
    if log and info.state != "stopped":
        with st.expander(_("Log")):
            st.code(log[-20_000:], language=None, wrap_lines=True)
