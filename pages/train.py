"""Train: the settings, and beside them the training, live, and what it reached."""

from __future__ import annotations

import streamlit as st

from convnet_core.common.files import runs_root
from convnet_core.config.stages import TrainConfig
from convnet_core.errors import ConvNetError
from convnet_core.jobs.job_progress import thin
from convnet_core.jobs.overview import overview
from convnet_core.jobs.preview_file import newest_preview
from convnet_core.language import _
from convnet_core.runs.library import list_runs
from convnet_core.runs.run import Run
from convnet_core.training.history import (
    TrainingReport,
    newest_training,
    read_curve,
    read_history,
    read_report,
)
from pages.charts import training_curves as curves
from pages.components import address, frame
from pages.components import job_area as jobs
from pages.components import run_state as shared
from pages.components.live_training import show_curves, show_explanation, show_origin, show_training
from pages.components.names import page_title
from pages.components.network_preview import show_preview
from pages.components.training_figures import show_result_figures, show_stopped_figures
from pages.components.training_results import show_results
from pages.forms import training as settings
from pages.forms import training_start as start

_MOST_OTHERS = 30


def main() -> None:
    """The page, from top to bottom."""
    st.title(page_title("train"))
    st.write(
        _("Choose the settings, press Train, and watch the network learn to read digits. Stop and go on at any time.")
    )
    is_imported = shared.warn_if_imported(_("Training is for a network that reads digits."))
    run = shared.selected_run()
    settings.follow(run)
    controls, view = st.container(key="train").columns([1, 2], gap="medium")
    with controls:
        show_controls(run)
    if is_imported:
        return
    if run is None:
        view.info(_("No network has been trained yet. Press Train: the preset fast takes less than a minute."))
        return
    with view:
        report = show_run(run)
    if report:
        show_results(run, report)


def show_controls(run: Run | None) -> None:
    """The buttons, and the settings below them."""
    presets, buttons = st.container(key="settings-presets"), st.container()
    config = settings.training_settings(st.container(key="settings"))
    start.choose_preset(presets, config)
    with buttons:
        if config:
            start.start_buttons(config, run)
        jobs.show_start_error()
    if config:
        start.command_line(config)


def show_run(run: Run) -> TrainingReport | None:
    """Show the selected run: its training, live, or how it ended. Returns the report of a finished training."""
    top, below = st.container(), st.container()
    with below:
        names = choose_other_runs(run)
    with top:
        others = histories(names)
        if jobs.show_job(run, "train", draw=lambda progress: show_training(run, progress, others)):
            return None
        resume_button(run)
        try:
            return show_outcome(run, others)
        except ConvNetError as error:
            jobs.show_error(error)
    return None


def show_outcome(run: Run, others: curves.Histories) -> TrainingReport | None:
    """Show what a stopped or finished training reached, its curves and its last preview."""
    report = read_report(run) if run.state("train").state != "missing" else None
    history = read_history(run)
    show_origin(run)
    if report:
        shared.warn_if_stale(run, "train")
        show_result_figures(report.test, history)
    elif history:
        show_stopped_figures(history)
    if history:
        record = newest_training(run)
        config = TrainConfig.from_json(record.config if record else {})
        show_curves(run, history, config, others)
    if preview := newest_preview(run):
        show_preview(preview)
    if history:
        show_explanation(history, config)
    return report


def choose_other_runs(run: Run) -> list[str]:
    """A selection of other runs to show in the curves."""
    names = [other.name for other in list_runs(runs_root())[:_MOST_OTHERS] if other.name != run.name]
    if not names:
        return []
    return address.choose_runs(
        _("Compare with other runs"),
        names,
        key="over",
        placeholder=_("none"),
        help=_("Shows their curves as thinner lines in other colors"),
    )


def histories(names: list[str]) -> curves.Histories:
    """The curves of other runs, thinned out; skips runs whose history cannot be read."""
    result = {}
    for name in names:
        try:
            result[name] = thin(read_curve(Run.open(runs_root() / name)))
        except ConvNetError:
            continue
    return result


def resume_button(run: Run) -> None:
    """A button that resumes a stopped training."""
    if overview(run).resumable:
        jobs.start_button(
            _("Resume the training"),
            lambda: run,
            ["train", "--resume"],
            type="primary",
            icon=":material/resume:",
            help=_("Continues from the batch where it stopped, to the same weights as without stopping"),
        )


frame.show(main)
