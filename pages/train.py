"""Train: settings, what they will cost, the live training, and what came of it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import streamlit as st

from convnet_core.common.files import runs_root
from convnet_core.config.arguments import arguments
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
from pages.forms import training as settings

_PRESETS = {"fast": "fast: one epoch", "reference": "reference: the original recipe", "accurate": "accurate: deep"}
_MOST_OTHERS = 30
_MISTAKES = 12  # shown; each is three elements for the browser to draw


def main() -> None:
    """The page, from top to bottom."""
    st.title("Train")
    st.write(
        "Choose how a network is trained in PyTorch, start it, and watch it learn; stop and resume it as you like."
    )
    from_elsewhere = shared.digits_only("Training is for")
    run = shared.chosen_run()
    at_work = bool(run and jobs.busy(run))
    with st.expander("Settings of a new training", expanded=not at_work, icon=":material/tune:"):
        slot = st.container()
        chosen_data = settings.data(st.container())
        config = settings.training(st.container(), chosen_data or DataConfig())
        choose_preset(slot, config)
        if config and chosen_data:
            begin(config)
    jobs.refusal()
    if from_elsewhere:
        return
    if run is None:
        st.info("No network has been trained yet. Press Train above: the preset fast takes less than a minute.")
        return
    st.subheader(run.info.get("title", run.name))
    names = others(run)
    if jobs.area(run, "train", draw=lambda told: live(run, names, told)):
        return
    resume_button(run)
    try:
        if course := read_history(run):
            curves.curves(histories(run, course, names))
        if run.state("train").state != "missing":
            shared.warn_of_stale(run, "train")
            result(run)
    except ConvNetError as error:
        jobs.explain(error)


def choose_preset(place: Any, config: TrainConfig | None) -> None:
    """The presets; none is marked where the settings are somebody's own.

    Buttons, not a control that shows a value: a browser that has not heard of the new mark yet, while somebody holds an
    arrow key on a slider, would send the old one with it, and so choose that preset.
    """
    marked = settings.preset_of(config) if config else None
    place.markdown(
        "Preset", help="Sets all settings below. The reference is the original recipe: 5 epochs, batch 50, Adam"
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


def begin(config: TrainConfig) -> None:
    """What it will cost, and the buttons that start it."""
    seconds = expected_seconds(config, runs_root())
    with st.container(horizontal=True, gap="large"):
        st.metric("Parameters", f"{parameter_count(config.model):,}", width="content")
        st.metric("Steps", f"{step_count(config):,}", width="content", help="Of the optimizer, in all epochs together")
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
                help="Into a new run. While another job uses the device, it waits for its turn",
            )
    with st.expander("The same on the command line"):
        st.code(shlex.join(["python", "-m", "convnet_core", "train", *chosen]), language="bash", wrap_lines=True)


def others(run: Run) -> list[str]:
    """Which other runs to lay over the curves."""
    names = [other.name for other in list_runs(runs_root())[:_MOST_OTHERS] if other.name != run.name]
    if not names:
        return []
    return st.multiselect(
        "Lay other runs over it", names, key="over", bind="query-params", help="Their curves, thinner, in other colours"
    )


def histories(run: Run, own: list[Any], names: list[str]) -> curves.Histories:
    """The curves to draw, thin; a run whose history cannot be read is left out."""
    found = {run.name: thin(own)}
    for name in names:
        try:
            found[name] = thin(read_history(Run.open(runs_root() / name)))
        except ConvNetError:
            continue
    return found


def live(run: Run, names: list[str], told: JobProgress) -> None:
    """The training at work."""
    if told.metrics:
        curves.figures(told.metrics[-1])
        curves.curves(histories(run, curves.course(run, told), names), live=True)


def result(run: Run) -> None:
    """Confusion, accuracy of each digit, and the worst mistakes on the test set."""
    found = read_report(run)
    st.subheader(f"On the test set: {100 * found.test.test_accuracy:.2f} % right")
    left, right = st.columns(2)
    dark = st.context.theme.type == "dark"
    left.plotly_chart(charts.confusion(found.confusion, "the network says", "it is", dark=dark), width="stretch")
    right.plotly_chart(charts.per_digit(found.confusion), width="stretch")
    if found.mistakes:
        st.subheader("The worst mistakes")
        mistakes(run, found.mistakes)


def mistakes(run: Run, found: tuple[Mistake, ...]) -> None:
    """The test images that were read wrong and with the greatest confidence."""
    try:
        test = digits(data_of(run)).test
    except ConvNetError as error:
        jobs.explain(error)
        return
    with st.container(horizontal=True):
        for mistake in [mistake for mistake in found if mistake.index < len(test)][:_MISTAKES]:
            with st.container(width=96, gap="small"):
                st.image(gallery.sheet([test.images[mistake.index][None]], enlarge=3), width=84)
                st.caption(f"**{mistake.truth}** as **{mistake.answer}**, {100 * mistake.probability:.0f} %")


def resume_button(run: Run) -> None:
    """Where a training was stopped."""
    if overview(run).resumable:
        jobs.start_button(
            "Resume the training",
            lambda: run,
            ["train", "--resume"],
            type="primary",
            icon=":material/resume:",
            help="Goes on from the batch at which it was stopped, to the same weights as without the stop",
        )


frame.show(main)
