"""Home: draw a digit, read the verdict, see the way from PyTorch to TensorFlow; uploads, machine."""

from __future__ import annotations

import streamlit as st

from convnet_core.common.files import runs_root
from convnet_core.common.formatting import format_percent
from convnet_core.compare import report_file, verdict
from convnet_core.compare.converters import not_compared
from convnet_core.config.stages import PRESETS, SAMPLE_PRESET, TrainConfig
from convnet_core.data.sources import STROKES
from convnet_core.errors import ConvNetError
from convnet_core.jobs import upload, watcher
from convnet_core.jobs.job_progress import JobProgress
from convnet_core.jobs.overview import NOTHING_MADE, overview, stage_views
from convnet_core.language import _, plural
from convnet_core.runs.library import delete_runs
from convnet_core.runs.run import Run
from convnet_core.runs.stage_folders import FORK
from convnet_core.runs.stage_results import ImportResult, TrainingResult
from convnet_core.training.estimate import mnist_accuracy, training_images
from pages.components import frame, report_table
from pages.components import job_area as jobs
from pages.components import run_state as shared
from pages.components.digits import show_first_strokes
from pages.components.live_pad import pad
from pages.components.machine import show_machine
from pages.components.run_path import show_path
from pages.components.tour import tour

# Time between two looks at a running job. Drawing curves keeps the browser busy: at the 0.4 s of the Train page, the
# sample pipeline took 38 s beside it, and 22 s without an app, on two cores.
_WATCH_SECONDS = 1.0
_NOTHING = {"missing", "failed", "stopped"}


def main() -> None:
    """The page, from top to bottom."""
    st.title(_("PyTorch → TensorFlow, proven equal"))
    run = shared.selected_run()
    if run:
        reject_upload(run)
    jobs.show_start_error()
    if run is None:
        welcome()
    else:
        show(run)
    show_more(run)
    tour.show(first=run is not None and run.state("compare").state == "fresh")


def welcome() -> None:
    """What a visitor without any run sees: what will happen, and the button that starts it."""
    st.write(
        _(
            "One click trains a network on handwritten digits in PyTorch, exports it to ONNX, translates it to "
            "TensorFlow and LiteRT, and checks on 10,000 digits whether all of them give the same answers."
        )
    )
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        shared.pipeline_button()
        st.caption(_("About a minute, and nothing is downloaded. You watch the network learn meanwhile."))
    show_path(NOTHING_MADE)
    show_examples(PRESETS[SAMPLE_PRESET])


def show(run: Run) -> None:
    """Show a run: its running job, or its pad, verdict and way, and what to do next."""
    if jobs.show_job(
        run,
        head=lambda _progress: show_path(stage_views(run, watcher.current(run))),
        draw=watch(run),
        every=_WATCH_SECONDS,
    ):
        return
    if run.state("compare").state == "fresh":
        show_verdict(run)
    else:
        show_path(stage_views(run, None))
        show_next_step(run)


def watch(run: Run) -> jobs.Draw:
    """What a visitor watches while the run's job works: the digits, the curves, the network's first answers."""

    def draw(progress: JobProgress) -> None:
        if run.is_model:
            return
        if progress.metrics:
            from pages.components.live_training import show_training

            show_training(run, progress)
        elif progress.settings:  # a training that has not begun to learn
            show_examples(TrainConfig.from_json(progress.settings))

    return draw


def show_examples(config: TrainConfig) -> None:
    """Show the first digits that a network learns from, if the project draws them itself."""
    if config.data.source == STROKES.name:
        count = training_images(config)
        text = plural("It learns from {count} digit like this", "It learns from {count} digits like these", count)
        st.markdown(f"**{text}**")
        show_first_strokes()


def show_verdict(run: Run) -> None:
    """Show the pad beside the verdict of a finished run, its way, and the figures of every runtime."""
    report = report_file.load(run)
    if run.is_model:
        with st.container(key=tour.VERDICT):
            report_table.show_verdict(report, not_compared(run))
    else:
        left, right = st.columns([5, 4], gap="large")
        with left, st.container(key=tour.PAD):
            st.markdown("**" + _("Draw a digit: every runtime reads it") + "**")
            pad.show(run, compact=True)
        with right, st.container(key=tour.VERDICT):
            report_table.show_verdict(report, not_compared(run))
            if agreement := verdict.agreement(report):
                st.caption(_("{sentence}.", sentence=agreement))
            show_accuracy(run)
    show_path(stage_views(run, watcher.current(run)))
    report_table.show_table(report)
    report_table.download_report(run)


def show_accuracy(run: Run) -> None:
    """Show how many test digits the network reads, and what that figure means."""
    record = run.record("train")
    if record is None:  # its weights came from elsewhere
        return
    config, result = TrainConfig.from_json(record.config), record.result_as(TrainingResult)
    forked = run.record(FORK) is not None  # it had a longer training than its settings say
    known = None if forked else mnist_accuracy(config)
    with st.container(horizontal=True, gap="large"):
        st.metric(_("Unseen digits read"), format_percent(result.test_accuracy), width="content")
        if known is not None:
            st.metric(_("MNIST, same settings"), format_percent(known), width="content")
    if known is not None:
        st.caption(
            _(
                "Its test digits are drawn to be harder than MNIST's. The figure for MNIST is the mean of five "
                "networks with these settings, measured for this release."
            )
        )
    elif config.data.source == STROKES.name:
        st.caption(_("Its test digits are drawn to be harder to read than MNIST's."))


def show_next_step(run: Run) -> None:
    """Show what to do with a run that has no up-to-date verdict."""
    if run.is_model and run.state("convert/native").state == "missing":
        result = run.require("export").result_as(ImportResult)
        if result.repairs:
            st.info(_("The model was repaired while it was opened."), icon=":material/build:")
            st.dataframe([{_("Repair"): text} for text in result.repairs], hide_index=True, width="stretch")
        if result.faults:
            st.warning(_("The native converter does not support this model; the Convert page shows why."))
            st.page_link("pages/convert.py", label=_("See the unsupported nodes"), icon=":material/transform:")
        else:
            shared.refresh_button(run, _("Convert and compare"))
        st.page_link("pages/export.py", label=_("Look at the model first"), icon=":material/account_tree:")
    elif is_empty(run):
        shared.pipeline_button()
    else:
        shared.refresh_button(run, _("Bring up to date"))


def is_empty(run: Run) -> bool:
    """Whether a run has nothing to go on from, so that the next step is a new one."""
    summary = overview(run)
    return not (summary.running or summary.resumable) and {view.state for view in summary.stages.values()} <= _NOTHING


def show_more(run: Run | None) -> None:
    """Show how to make another run, where all runs are, and this machine."""
    st.header(_("Your own network"))
    upload_model()
    if run:
        with st.container(horizontal=True, vertical_alignment="center", key="runs"):
            if not is_empty(run):  # else it stands above
                shared.pipeline_button(disabled=jobs.is_busy(run), type="secondary")
            st.page_link("pages/runs.py", label=_("All runs"), icon=":material/list:")
    st.header(_("This machine"))
    show_machine()


def upload_model() -> None:
    """An uploader for ONNX models; each gets its own run, which a job opens."""
    count = st.session_state.setdefault("uploads", 0)  # a new number makes a new, empty widget
    file = st.file_uploader(
        _("Import a network as ONNX: it is converted, compared and measured like the digit network"),
        "onnx",
        key=f"upload {count}",
        help=_("Up to {size} MB, with its weights inside. It stays on this machine", size=upload.MAX_MB),
    )
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


frame.show(main)
