"""Which run and which configs the flags mean."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

from convnet_core.common.files import runs_root
from convnet_core.config.flags import apply_flags, explicit_fields
from convnet_core.config.stages import ConvertConfig, DataConfig
from convnet_core.convert.targets.table import select_targets
from convnet_core.data.sources import absolute
from convnet_core.errors import ConfigError, RunError
from convnet_core.onnx_files.file_faults import require_onnx
from convnet_core.runs import library
from convnet_core.runs.run import Run
from convnet_core.tensors.model_inputs import InputSpec


def root(args: argparse.Namespace) -> Path:
    """The folder of all runs."""
    path: Path | None = getattr(args, "runs", None)
    return path or runs_root()


def named_run(args: argparse.Namespace, name: str | Path) -> Run:
    """The run with this folder, or with this name under the root. Raises RunError if there is none."""
    return Run.open(library.find_run(root(args), name))


def run_to_write(args: argparse.Namespace, label: str) -> Run:
    """The run of --run, created if it does not exist; without --run a new one under the root."""
    if args.run is None:
        return library.new_run(root(args), label)
    path = library.find_run(root(args), args.run)
    return Run.open(path) if (path / "run.json").is_file() else Run.create(path)


def existing_run(args: argparse.Namespace, stage: str) -> Run:
    """The run of --run; without --run the newest that has the stage, which is printed.

    Raises RunError if there is none.
    """
    if args.run is not None:
        return named_run(args, args.run)
    newest = next((run for run in library.list_runs(root(args)) if run.state(stage).state != "missing"), None)
    if newest is None:
        raise RunError(
            f"{root(args)} has no run with {stage} yet",
            hint="`python -m convnet_core pipeline` creates one; --run names one elsewhere",
        )
    print(f"the newest run with {stage}: {short_path(newest)}", file=sys.stderr)
    return newest


def run_of_model(args: argparse.Namespace) -> Run:
    """The run for the model of --onnx, created if needed; without --onnx an existing run that has a model.

    Raises ModelError if the file is missing or not an ONNX model, RunError if it would replace the model of a run
    that reads digits.
    """
    if args.onnx is None:
        return existing_run(args, "export")
    require_onnx(args.onnx)
    return run_for_model(args, args.onnx.stem, args.onnx.name)


def run_of_upload(args: argparse.Namespace) -> Run:
    """Like `run_of_model`; with --run, which the app created for the file, only the job opens the file.

    That way an error ends up in the job's record, where the app reads it.
    """
    return run_of_model(args) if args.run is None else run_for_model(args, args.onnx.stem, args.onnx.name)


def run_for_model(args: argparse.Namespace, label: str, source: str) -> Run:
    """The run of --run for an imported model, created if it does not exist; without --run a new one.

    Raises RunError if `source` would replace the model of a run that reads digits.
    """
    if args.run is None:
        return library.new_run(root(args), label, source, kind="model")
    path = library.find_run(root(args), args.run)
    if not (path / "run.json").is_file():
        return Run.create(path, kind="model")
    run = Run.open(path)
    if not run.is_model:
        raise RunError(
            f"{short_path(run)} has a network that reads digits, and {source} would replace it",
            hint="name another folder with --run, or leave --run out to create a new run",
        )
    return run


def input_spec(args: argparse.Namespace) -> InputSpec:
    """The inputs that --input, --shape and --range describe. Raises ConfigError."""
    return InputSpec(
        {name: str(Path(text).expanduser().resolve()) for name, text in _split_pairs(args.input, "--input")},
        {name: _parse_shape(text) for name, text in _split_pairs(args.shape, "--shape")},
        {name: _parse_range(text) for name, text in _split_pairs(args.range, "--range")},
    )


def _split_pairs(texts: list[str], flag: str) -> list[tuple[str, str]]:
    """Split each NAME=VALUE."""
    pairs = [text.rpartition("=") for text in texts]
    for name, equals, value in pairs:
        if not (name and equals and value):
            raise ConfigError(f"{flag} takes NAME=VALUE, not {name + equals + value!r}")
    return [(name, value) for name, _, value in pairs]


def _parse_shape(text: str) -> tuple[int, ...]:
    sizes = text.split(",")
    if not all(size.strip().isdecimal() for size in sizes):
        raise ConfigError(f"--shape takes integers from 0 up, separated by commas, not {text!r}")
    return tuple(map(int, sizes))


def _parse_range(text: str) -> tuple[float, float]:
    try:
        low, high = map(float, text.split(","))
    except ValueError:
        low = high = math.nan
    if not -math.inf < low <= high < math.inf:
        raise ConfigError(f"--range takes the lowest and the highest value as two numbers, not {text!r}")
    return low, high


def convert_config(args: argparse.Namespace) -> ConvertConfig:
    """The conversion flags. Raises ConfigError, also for a format of --only that is not in the table of targets."""
    config = apply_flags(args, ConvertConfig())
    select_targets(config.only)
    return config


def data_override(args: argparse.Namespace, run_data: DataConfig) -> DataConfig | None:
    """The run's data settings with the flags applied; None if no data flag was passed."""
    return absolute(apply_flags(args, run_data)) if explicit_fields(args, DataConfig) else None


def short_path(run: Run) -> str:
    """The run's folder, relative to the current folder if it is inside."""
    here = Path.cwd()
    return str(run.path.relative_to(here)) if run.path.is_relative_to(here) else str(run.path)
