"""Train: settings, their cost, the live training, and its results."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import streamlit as st

from convnet_core.common.files import runs_root
from convnet_core.config.flags import arguments
from convnet_core.config.stages import PRESETS, DataConfig, TrainConfig
from convnet_core.data import gallery
from convnet_core.errors import ConvNetError
from convnet_core.jobs.job_progress import JobProgress, thin
from convnet_core.jobs.overview import overview
from convnet_core.runs.library import list_runs, new_run
from convnet_core.runs.provenance import data_of
from convnet_core.runs.run import Run
from convnet_core.training.estimate import expected_seconds, parameter_count, step_count
from convnet_core.training.history import Mistake, read_history, read_report
from pages.charts import style as charts
from pages.charts import training_curves as curves
from pages.components import frame
from pages.components import job_area as jobs
from pages.components import run_state as shared
from pages.components.digits import digits
from pages.components.live_training import show_training
from pages.forms import training as settings

_PRESETS = {"fast": "fast: one epoch", "reference": "reference: the original recipe", "accurate": "accurate: deep"}
_MOST_OTHERS = 30
_MISTAKES = 12  # shown; each is three elements for the browser to draw


def main() -> None:
    """The page, from top to bottom."""
    st.title("Train")
    st.write(
        "Choose the settings, start the training in PyTorch, and watch the network learn. Stop and resume at any time."
    )
    is_imported = shared.warn_if_imported("Training is for")
    run = shared.selected_run()
    is_running = bool(run and jobs.is_busy(run))
    with st.expander("Settings of a new training", expanded=not is_running, icon=":material/tune:"):
        slot = st.container()
        chosen_data = settings.data_settings(st.container())
        config = settings.training_settings(st.container(), chosen_data or DataConfig())
        choose_preset(slot, config)
        if config and chosen_data:
            start_form(config)
    jobs.show_start_error()
    if is_imported:
        return
    if run is None:
        st.info("No network has been trained yet. Press Train above: the preset fast takes less than a minute.")
        return
    st.subheader(run.title)
    names = choose_other_runs(run)
    if jobs.show_job(run, "train", draw=lambda progress: show_live(run, names, progress)):
        return
    resume_button(run)
    try:
        if course := read_history(run):
            curves.show_curves(histories(run, course, names))
        if run.state("train").state != "missing":
            shared.warn_if_stale(run, "train")
            show_results(run)
    except ConvNetError as error:
        jobs.show_error(error)


def choose_preset(place: Any, config: TrainConfig | None) -> None:
    """Buttons for the presets; none is marked for custom settings.

    Not a control with a value: while the user holds an arrow key on a slider, a browser that has not yet received the
    new mark would send the old value, and so choose that preset.
    """
    marked = settings.preset_of(config) if config else None
    place.markdown(
        "Preset", help="Changes all settings below. The reference is the original recipe: 5 epochs, batch 50, Adam"
    )
    row = place.container(horizontal=True)
    for name, label in _PRESETS.items():
        row.button(
            label,
            key=f"preset-{name}",
            icon=":material/check:" if name == marked else None,
            on_click=settings.set_preset,
            args=(name,),
        )


def start_form(config: TrainConfig) -> None:
    """Show the cost of a training, and the buttons that start it."""
    seconds = expected_seconds(config, runs_root())
    with st.container(horizontal=True, gap="large"):
        st.metric("Parameters", f"{parameter_count(config.model):,}", width="content")
        st.metric("Steps", f"{step_count(config):,}", width="content", help="Optimizer steps in all epochs together")
        st.metric(
            "Expected time", f"{seconds:,.0f} s" if seconds < 120 else f"{seconds / 60:,.0f} min", width="content"
        )
    name = settings.preset_of(config)
    flags = arguments(config, PRESETS[name or "reference"])
    chosen = ["--preset", name or "reference", *flags]
    label = f"{name or 'own'}-{Path(config.data.source).name}"
    with st.container(horizontal=True):
        for command, text, kind in (
            ("train", "Train", "primary"),
            ("pipeline", "Train, convert and compare", "secondary"),
        ):
            jobs.start_button(
                text,
                lambda: new_run(runs_root(), label),
                [command, *chosen],
                type=kind,
                icon=":material/play_arrow:",
                help="Creates a new run. Waits while another job uses the device",
            )
    with st.expander("The same on the command line"):
        st.code(shlex.join(["python", "-m", "convnet_core", "train", *chosen]), language="bash", wrap_lines=True)


def choose_other_runs(run: Run) -> list[str]:
    """A selection of other runs to show in the curves."""
    names = [other.name for other in list_runs(runs_root())[:_MOST_OTHERS] if other.name != run.name]
    if not names:
        return []
    return st.multiselect(
        "Compare with other runs",
        names,
        key="over",
        bind="query-params",
        help="Shows their curves as thinner lines in other colors",
    )


def histories(run: Run, metrics: list[Any], names: list[str]) -> curves.Histories:
    """The metrics to draw, thinned out; skips runs whose history cannot be read."""
    result = {run.name: thin(metrics)}
    for name in names:
        try:
            result[name] = thin(read_history(Run.open(runs_root() / name)))
        except ConvNetError:
            continue
    return result


def show_live(run: Run, names: list[str], progress: JobProgress) -> None:
    """Show the running training."""
    others = histories(run, [], names)
    del others[run.name]
    show_training(run, progress, others)


def show_results(run: Run) -> None:
    """Show the confusion matrix, each digit's accuracy, and the worst mistakes on the test set."""
    metrics = read_report(run)
    st.subheader(f"On the test set: {100 * metrics.test.test_accuracy:.2f} % accuracy")
    left, right = st.columns(2)
    dark = st.context.theme.type == "dark"
    left.plotly_chart(charts.confusion(metrics.confusion, "the network says", "it is", dark=dark), width="stretch")
    right.plotly_chart(charts.per_digit(metrics.confusion), width="stretch")
    if metrics.mistakes:
        st.subheader("The worst mistakes")
        show_mistakes(run, metrics.mistakes)


def show_mistakes(run: Run, mistakes: tuple[Mistake, ...]) -> None:
    """Show the misread test images with the highest confidence."""
    try:
        test = digits(data_of(run)).test
    except ConvNetError as error:
        jobs.show_error(error)
        return
    with st.container(horizontal=True):
        for mistake in [mistake for mistake in mistakes if mistake.index < len(test)][:_MISTAKES]:
            with st.container(width=96, gap="small"):
                st.image(gallery.sheet([test.images[mistake.index][None]], enlarge=3), width=84)
                st.caption(f"**{mistake.truth}** as **{mistake.answer}**, {100 * mistake.probability:.0f} %")


def resume_button(run: Run) -> None:
    """A button that resumes a stopped training."""
    if overview(run).resumable:
        jobs.start_button(
            "Resume the training",
            lambda: run,
            ["train", "--resume"],
            type="primary",
            icon=":material/resume:",
            help="Continues from the batch where it stopped, to the same weights as without stopping",
        )


frame.show(main)
