"""The presets, what a training costs, and the buttons that start it."""

from __future__ import annotations

import shlex
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from convnet_core.common.files import runs_root
from convnet_core.common.formatting import join_clauses, list_words
from convnet_core.config.fields import list_changes
from convnet_core.config.flags import arguments
from convnet_core.config.stages import PRESETS, TrainConfig
from convnet_core.jobs import watcher
from convnet_core.jobs.calibrator import Calibrator
from convnet_core.jobs.job_progress import progress_of
from convnet_core.jobs.watcher import JobView
from convnet_core.language import N_, _
from convnet_core.runs.library import new_run
from convnet_core.runs.run import Run
from convnet_core.training.estimate import describe_cost
from convnet_core.training.history import newest_training
from pages.components import job_area as jobs
from pages.forms import training as settings

_PRESETS = {
    "fast": N_("One epoch of a small network"),
    "reference": N_("The original recipe: the same network, 5 epochs, batches of 50, Adam"),
    "accurate": N_("A deep network, 10 epochs of distorted images: the best answers, and the longest wait"),
}


def choose_preset(place: DeltaGenerator, config: TrainConfig | None) -> None:
    """Buttons for the presets; none is marked for custom settings.

    Not a control with a value: while the user holds an arrow key on a slider, a browser that has not yet received the
    new mark would send the old value, and so choose that preset.
    """
    marked = settings.preset_of(config) if config else None
    row = place.container(horizontal=True, gap="xsmall")
    for name, text in _PRESETS.items():
        row.button(
            name,
            key=f"preset-{name}",
            icon=":material/check:" if name == marked else None,
            help=_("{preset}. Changes all settings below", preset=_(text)),
            on_click=settings.set_preset,
            args=(name,),
        )


def start_buttons(config: TrainConfig, run: Run | None) -> None:
    """The buttons that start a training with these settings, and what it costs."""
    if run is not None and run.is_model:
        run = None
    with st.container(horizontal=True, gap="xsmall"):
        jobs.start_button(
            _("Train"),
            lambda: _new_run(config, run),
            ["train", *_flags(config)],
            type="primary",
            icon=":material/play_arrow:",
            help=_("Trains a new network from scratch, in a new run. Waits while another job uses the device"),
        )
        if run is not None:
            _fork_button(config, run)
        jobs.start_button(
            _("Train and convert"),
            lambda: _new_run(config, run),
            ["pipeline", *_flags(config)],
            type="tertiary",
            icon=":material/fast_forward:",
            help=_("Trains a new network, then exports, converts and compares it"),
        )
    if run is not None:
        _warn_of_other_network(config, run)
    show_cost = st.fragment(_show_cost, run_every=1.0 if _calibrator().is_measuring(config) else None)
    show_cost(config)


@st.cache_resource(show_spinner=False, on_release=Calibrator.close)
def _calibrator() -> Calibrator:
    """Measures this machine's speed, for all sessions."""
    return Calibrator()


def _show_cost(config: TrainConfig) -> None:
    """What a training costs; the time only once it is known how fast this machine is."""
    is_measuring = _calibrator().is_measuring(config)
    if is_measuring:
        st.session_state["measuring"] = True
    elif st.session_state.pop("measuring", False):
        st.rerun()  # the next draw of the page stops polling
    text, reason = describe_cost(config), _calibrator().failure(config)
    if is_measuring:
        text = _("{cost}, measuring this machine …", cost=text)
    elif reason:
        text = join_clauses((text, reason))
    st.caption(text)


def _fork_button(config: TrainConfig, run: Run) -> None:
    """A button that forks the shown run with these settings; a running training is stopped first."""
    training = _running_training(run)
    earlier = _settings_to_change(run, training)
    changes = list_changes(earlier, config) if earlier else ()
    jobs.start_button(
        _("Try this change"),
        lambda: _forked_run(config, run, training),
        ["train", "--fork", str(run.path), *_flags(config)],
        disabled=not changes,
        icon=":material/fork_right:",
        help=_about_fork(run, training, earlier, changes),
    )
    if earlier is None and jobs.is_busy(run):
        st.fragment(_redraw_when_trained, run_every=1.0)(run)


def _about_fork(run: Run, training: JobView | None, earlier: TrainConfig | None, changes: tuple[str, ...]) -> str:
    """What a fork would do, or why there can be none."""
    if training and earlier is None:
        return _("The training has only begun: wait for its first figures")
    if earlier is None and jobs.is_busy(run):
        return _("Wait until this run has a trained network: a change goes on from there")
    if earlier is None:
        return _("This run has no training to go on from: press Train")
    if not changes:
        return _("Change a setting first: these are the settings of the shown run")
    if training:
        return _(
            "Stops the running training, which can be resumed, and goes on from there in a new run, with these "
            "changes: {changes}",
            changes=list_words(changes),
        )
    return _("Goes on from the shown run in a new run, with these changes: {changes}", changes=list_words(changes))


def _warn_of_other_network(config: TrainConfig, run: Run) -> None:
    """Say so if a fork could not take over anything."""
    earlier = _settings_to_change(run, _running_training(run))
    if earlier and earlier.model != config.model:
        st.caption(_("Another network cannot take over the weights: “Try this change” would start from scratch."))


def _settings_to_change(run: Run, training: JobView | None) -> TrainConfig | None:
    """The settings of the training that a fork goes on from; None if there is none, or if it has only begun.

    A training that has reported figures saves its state when it is stopped. Raises RunError.
    """
    if training:
        progress = progress_of(training)
        return TrainConfig.from_json(progress.settings) if progress.metrics else None
    record = newest_training(run)
    return TrainConfig.from_json(record.config) if record else None


def _redraw_when_trained(run: Run) -> None:
    """Redraw the page, and so the button, once there is something to go on from."""
    if _settings_to_change(run, _running_training(run)):
        st.rerun()


def _running_training(run: Run) -> JobView | None:
    """The job that is training the run's network."""
    current = watcher.current(run)
    return current[0] if current and current[1].live and current[1].command == "train" else None


def _new_run(config: TrainConfig, shown: Run | None) -> Run:
    """A new run, whose curves are drawn over those of the shown one."""
    run = new_run(runs_root(), f"{settings.preset_of(config) or 'own'}-{Path(config.data.source).name}")
    settings.start_at(run, config)
    if shown and newest_training(shown):
        _compare_with(shown)
    return run


def _forked_run(config: TrainConfig, parent: Run, training: JobView | None) -> Run:
    """A new run for a fork, whose job waits until the running training has saved its state."""
    if training:
        training.stop()
    run = new_run(runs_root(), f"fork-{Path(config.data.source).name}")
    settings.start_at(run, config)
    _compare_with(parent)
    return run


def _compare_with(run: Run) -> None:
    """Draw this run's curves too, beside those that the user has chosen."""
    st.session_state["over"] = list(dict.fromkeys([*st.session_state.get("over", ()), run.name]))


def _flags(config: TrainConfig) -> list[str]:
    """The flags for these settings."""
    name = settings.preset_of(config) or "reference"
    return ["--preset", name, *arguments(config, PRESETS[name])]


def command_line(config: TrainConfig) -> None:
    """The command that does the same."""
    with st.expander(_("The same on the command line"), icon=":material/terminal:", key="code"):
        command = shlex.join(["python", "-m", "convnet_core", "train", *_flags(config)])
        st.code(command, language="bash", wrap_lines=True)
