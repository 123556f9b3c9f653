"""Which run and which configs the flags mean."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

from convnet_core.cli.config_flags import apply, explicit_fields, overlay
from convnet_core.common.files import runs_root
from convnet_core.config.stages import DEFAULT_PRESET, PRESETS, DataConfig, TrainConfig
from convnet_core.data.sources import MNIST, absolute
from convnet_core.errors import ConfigError, RunError
from convnet_core.onnx_files.file_faults import require_onnx
from convnet_core.runs import library
from convnet_core.runs.run import Run
from convnet_core.tensors.model_inputs import InputSpec


def root(args: argparse.Namespace) -> Path:
    """The root of all runs."""
    chosen: Path | None = getattr(args, "runs", None)
    return chosen or runs_root()


def named_run(args: argparse.Namespace, name: str | Path) -> Run:
    """A run by its folder or by its name under the root. Raises RunError where there is none."""
    return Run.open(library.find_run(root(args), name))


def run_to_write(args: argparse.Namespace, label: str) -> Run:
    """The run of --run, made where it is missing; a new one under the root without --run."""
    if args.run is None:
        return library.new_run(root(args), label)
    path = library.find_run(root(args), args.run)
    return Run.open(path) if (path / "run.json").is_file() else Run.create(path)


def existing_run(args: argparse.Namespace, needs: str) -> Run:
    """The run of --run, else the newest that has the stage `needs`; warns of what is stale in it."""
    if args.run is not None:
        return named_run(args, args.run)
    found = next((run for run in library.list_runs(root(args)) if run.state(needs).state != "missing"), None)
    if found is None:
        raise RunError(
            f"there is no run with {needs} in {root(args)} yet",
            hint="`python -m convnet_core pipeline` makes one, --run names one elsewhere",
        )
    print(f"the newest run with {needs}: {shown(found)}", file=sys.stderr)
    return found


def run_of_model(args: argparse.Namespace) -> Run:
    """The run of --run, made for the model of --onnx where it is missing; without --onnx one that has a model.

    Raises ModelError where the file is not there or is no ONNX model, RunError where it would replace the model of a
    run that reads digits.
    """
    if args.onnx is None:
        return existing_run(args, "export")
    require_onnx(args.onnx)
    return run_for_model(args, args.onnx.stem, args.onnx.name)


def run_of_upload(args: argparse.Namespace) -> Run:
    """As `run_of_model`, but where --run names a run, which the app made for the file, the job alone looks at the file:
    its record is what the app reads.
    """
    return run_of_model(args) if args.run is None else run_for_model(args, args.onnx.stem, args.onnx.name)


def run_for_model(args: argparse.Namespace, label: str, source: str) -> Run:
    """The run of --run, made for a model from elsewhere where it is missing; a new one without --run.

    Raises RunError where `source` would replace the model of a run that reads digits.
    """
    if args.run is None:
        return library.new_run(root(args), label, kind="model")
    path = library.find_run(root(args), args.run)
    if not (path / "run.json").is_file():
        return Run.create(path, kind="model")
    run = Run.open(path)
    if not run.is_model:
        raise RunError(
            f"{shown(run)} holds a network that reads digits, which {source} would replace",
            hint="name another folder with --run, or leave --run out for a new one",
        )
    return run


def given_inputs(args: argparse.Namespace) -> InputSpec:
    """What --input, --shape and --range say. Raises ConfigError."""
    return InputSpec(
        {name: str(Path(text).expanduser().resolve()) for name, text in _named(args.input, "--input")},
        {name: _shape(text) for name, text in _named(args.shape, "--shape")},
        {name: _range(text) for name, text in _named(args.range, "--range")},
    )


def _named(texts: list[str], flag: str) -> list[tuple[str, str]]:
    """NAME=VALUE, taken apart."""
    pairs = [text.rpartition("=") for text in texts]
    for name, equals, value in pairs:
        if not (name and equals and value):
            raise ConfigError(f"{flag} takes NAME=VALUE, not {name + equals + value!r}")
    return [(name, value) for name, _, value in pairs]


def _shape(text: str) -> tuple[int, ...]:
    sizes = text.split(",")
    if not all(size.strip().isdecimal() for size in sizes):
        raise ConfigError(f"--shape takes whole numbers from 0 on, separated by commas, not {text!r}")
    return tuple(map(int, sizes))


def _range(text: str) -> tuple[float, float]:
    try:
        low, high = map(float, text.split(","))
    except ValueError:
        low = high = math.nan
    if not -math.inf < low <= high < math.inf:
        raise ConfigError(f"--range takes the lowest and the highest value as two numbers, not {text!r}")
    return low, high


def train_config(args: argparse.Namespace) -> TrainConfig:
    """The preset with the flags over it. Raises ConfigError."""
    asked = explicit_fields(args, TrainConfig)
    if ("data", "folder") in asked and ("data", "source") not in asked:
        raise ConfigError(
            f"--data-dir says where MNIST is, but --data is not {MNIST.name}", hint=f"add --data {MNIST.name}"
        )
    config = apply(args, PRESETS[preset(args)])
    return overlay(config, {("data",): absolute(config.data).to_json()})


def preset(args: argparse.Namespace) -> str:
    """The name of the preset."""
    return getattr(args, "preset", DEFAULT_PRESET)


def other_data(args: argparse.Namespace, of_run: DataConfig) -> DataConfig | None:
    """The run's data with the given flags over it; None where no flag was given."""
    return absolute(apply(args, of_run)) if explicit_fields(args, DataConfig) else None


def shown(run: Run) -> str:
    """The run's folder as short as it can be written from here."""
    here = Path.cwd()
    return str(run.path.relative_to(here)) if run.path.is_relative_to(here) else str(run.path)
