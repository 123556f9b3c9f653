"""The presets, what a training costs, and the buttons that start it."""

from __future__ import annotations

import shlex
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from convnet_core.common.files import runs_root
from convnet_core.config.flags import arguments
from convnet_core.config.stages import PRESETS, TrainConfig
from convnet_core.runs.library import new_run
from convnet_core.training.estimate import expected_seconds, parameter_count, step_count
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


def start_buttons(config: TrainConfig) -> None:
    """What a training with these settings costs, and the buttons that start it."""
    name = settings.preset_of(config)
    chosen = ["--preset", name or "reference", *arguments(config, PRESETS[name or "reference"])]
    label = f"{name or 'own'}-{Path(config.data.source).name}"
    with st.container(horizontal=True, gap="small"):
        for command, text, kind, note in (
            ("train", "Train", "primary", ""),
            ("pipeline", "Train and convert", "secondary", ", which is then exported, converted and compared"),
        ):
            jobs.start_button(
                text,
                lambda: new_run(runs_root(), label),
                [command, *chosen],
                type=kind,
                icon=":material/play_arrow:",
                help=f"Creates a new run{note}. Waits while another job uses the device",
            )
    st.caption(
        f"{parameter_count(config.model):,} weights, {step_count(config):,} steps, "
        f"about {format_wait(expected_seconds(config, runs_root()))}"
    )


def command_line(config: TrainConfig) -> None:
    """The command that does the same."""
    name = settings.preset_of(config)
    chosen = ["--preset", name or "reference", *arguments(config, PRESETS[name or "reference"])]
    with st.expander("The same on the command line", icon=":material/terminal:"):
        st.code(shlex.join(["python", "-m", "convnet_core", "train", *chosen]), language="bash", wrap_lines=True)


def format_wait(seconds: float) -> str:
    """A time to wait: seconds below two minutes, else minutes."""
    return f"{seconds:,.0f} s" if seconds < 120 else f"{seconds / 60:,.0f} min"
