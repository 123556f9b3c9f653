"""Flags that several commands share. Imports nothing heavy."""

from __future__ import annotations

import argparse
from pathlib import Path

from convnet_core.config.fields import describe, value_at
from convnet_core.config.stages import DEFAULT_PRESET, PRESETS, TrainConfig


def add_common(parser: argparse.ArgumentParser) -> None:
    """--json and --runs, which every command takes.

    Both are left out of the parsed arguments unless they are passed: `runs` and its actions all have them, and a
    default of the action would overwrite what was passed before it.
    """
    parser.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="results as JSON on standard output"
    )
    parser.add_argument(
        "--runs",
        type=Path,
        metavar="DIR",
        default=argparse.SUPPRESS,
        help="the folder of all runs (default: $CONVNET_RUNS_DIR, else runs/)",
    )


def add_run(parser: argparse.ArgumentParser, default: str) -> None:
    """--run, and --job by which the app names the job."""
    parser.add_argument("--run", type=Path, metavar="DIR", help=f"the run's folder (default: {default})")
    parser.add_argument("--job", help=argparse.SUPPRESS)


def add_artifact(parser: argparse.ArgumentParser, help_text: str) -> None:
    """--artifact, also by its earlier name."""
    parser.add_argument(
        "--artifact",
        "--artefact",
        metavar="NAME",
        help=f"{help_text}: model.onnx, saved_model, frozen.pb, or its path in the run",
    )


def add_onnx(parser: argparse.ArgumentParser) -> None:
    """--onnx."""
    parser.add_argument("--onnx", type=Path, metavar="FILE", help="import this model into --run first")


def add_model(parser: argparse.ArgumentParser) -> None:
    """--onnx, and the flags that describe its inputs."""
    add_onnx(parser)
    group = parser.add_argument_group("inputs of an imported model (default: random numbers that fit)")
    for flag, value, text in (
        ("input", "NAME=FILE.npy", "samples of an input, [n, ...]"),
        ("shape", "NAME=N,N,...", "the full shape of an input, including its batch"),
        ("range", "NAME=LOW,HIGH", "the lowest and the highest value of an input"),
    ):
        group.add_argument(f"--{flag}", action="append", default=[], metavar=value, help=f"{text}; can be repeated")


def add_factory(parser: argparse.ArgumentParser, group: argparse._MutuallyExclusiveGroup | None = None) -> None:
    """--factory (in `group` if there is one) and --example."""
    (group or parser).add_argument(
        "--factory",
        metavar="PACKAGE.MODULE:FUNCTION",
        help="a function that returns a PyTorch network, or a pair of it and a tuple of example tensors. Runs its code",
    )
    parser.add_argument(
        "--example",
        action="append",
        default=[],
        metavar="SHAPE",
        help="an input of that network: 2,3,224,224 or int64:2,16 or samples.npy; repeat it for each input, in order",
    )


def add_preset(parser: argparse.ArgumentParser) -> None:
    """--preset."""
    parser.add_argument(
        "--preset",
        choices=PRESETS,
        default=argparse.SUPPRESS,
        help=f"the training settings to start from (default {DEFAULT_PRESET}); {_preset_differences()}. "
        "The defaults below are those of reference",
    )


def _preset_differences() -> str:
    """The flags in which each preset differs from `reference`."""
    reference = PRESETS["reference"]
    parts = []
    for name, config in PRESETS.items():
        changed = [
            f"--{field.flag} {value_at(config, field.path)}"
            for field in describe(TrainConfig)
            if value_at(config, field.path) != value_at(reference, field.path)
        ]
        parts.append(f"{name}: {' '.join(changed) or 'the original recipe'}")
    return "; ".join(parts)
