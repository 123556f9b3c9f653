"""The presets, what a training costs, and the buttons that start it."""

from __future__ import annotations

import shlex
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from convnet_core.common.files import runs_root
from convnet_core.config.fields import list_changes
from convnet_core.config.flags import arguments
from convnet_core.config.stages import PRESETS, TrainConfig
from convnet_core.jobs import watcher
from convnet_core.jobs.calibrator import Calibrator
from convnet_core.jobs.watcher import JobView
from convnet_core.runs.library import new_run
from convnet_core.runs.run import Run
from convnet_core.training.estimate import describe_cost
from convnet_core.training.history import newest_training
from pages.components import job_area as jobs
from pages.forms import training as settings

_PRESETS = {
    "fast": "One epoch of a small network",
    "reference": "The original recipe: the same network, 5 epochs, batches of 50, Adam",
    "accurate": "A deep network, 10 epochs of distorted images: the best answers, and the longest wait",
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
            help=f"{text}. Changes all settings below",
            on_click=settings.set_preset,
            args=(name,),
        )


def start_buttons(config: TrainConfig, run: Run | None) -> None:
    """The buttons that start a training with these settings, and what it costs."""
    if run is not None and run.is_model:
        run = None
    with st.container(horizontal=True, gap="xsmall"):
        jobs.start_button(
            "Train",
            lambda: _new_run(config, run),
            ["train", *_flags(config)],
            type="primary",
            icon=":material/play_arrow:",
            help="Trains a new network from scratch, in a new run. Waits while another job uses the device",
        )
        if run is not None:
            _fork_button(config, run)
        jobs.start_button(
            "Train and convert",
            lambda: _new_run(config, run),
            ["pipeline", *_flags(config)],
            type="tertiary",
            icon=":material/fast_forward:",
            help="Trains a new network, then exports, converts and compares it",
        )
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
    reason = _calibrator().failure(config)
    st.caption(describe_cost(config) + (", measuring this machine …" if is_measuring else reason and f"; {reason}"))


def _fork_button(config: TrainConfig, run: Run) -> None:
    """A button that forks the shown run with these settings; a running training is stopped first."""
    training = _running_training(run)
    record = newest_training(run)
    changes = list_changes(TrainConfig.from_json(record.config), config) if record else ()
    if training:
        note = "Stops the running training, which can be resumed, and goes on from there with these settings"
    elif changes:
        note = f"Goes on from the shown run with these settings, in a new run: {', '.join(changes)}"
    else:
        note = "Change a setting first: these are the settings of the shown run"
    jobs.start_button(
        "Try this change",
        lambda: _forked_run(config, run, training),
        ["train", "--fork", str(run.path), *_flags(config)],
        disabled=not (training or changes),
        icon=":material/fork_right:",
        help=note,
    )


def _running_training(run: Run) -> JobView | None:
    """The job that is training the run's network."""
    current = watcher.current(run)
    return current[0] if current and current[1].live and current[1].command == "train" else None


def _new_run(config: TrainConfig, shown: Run | None) -> Run:
    """A new run, whose curves are drawn over those of the shown one."""
    st.session_state["over"] = [shown.name] if shown and newest_training(shown) else []
    return new_run(runs_root(), f"{settings.preset_of(config) or 'own'}-{Path(config.data.source).name}")


def _forked_run(config: TrainConfig, parent: Run, training: JobView | None) -> Run:
    """A new run for a fork, which waits for the device until the running training has saved its state."""
    if training:
        training.stop()
    st.session_state["over"] = [parent.name]
    return new_run(runs_root(), f"fork-{Path(config.data.source).name}")


def _flags(config: TrainConfig) -> list[str]:
    """The flags for these settings."""
    name = settings.preset_of(config) or "reference"
    return ["--preset", name, *arguments(config, PRESETS[name])]


def command_line(config: TrainConfig) -> None:
    """The command that does the same."""
    with st.expander("The same on the command line", icon=":material/terminal:"):
        command = shlex.join(["python", "-m", "convnet_core", "train", *_flags(config)])
        st.code(command, language="bash", wrap_lines=True)
