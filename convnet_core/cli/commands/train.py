"""The command `train`: train a network and evaluate it on the test set."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from convnet_core.cli import resolve
from convnet_core.cli.job import command_job
from convnet_core.cli.shared_flags import add_preset, add_run
from convnet_core.cli.terminal import print_results
from convnet_core.config.flags import add_config_flags, apply_flags, explicit_fields, replace_fields
from convnet_core.config.stages import DEFAULT_PRESET, PRESETS, TrainConfig
from convnet_core.data.sources import SOURCES, absolute
from convnet_core.errors import ConfigError, RunError
from convnet_core.events import Monitor
from convnet_core.jobs.job import device_lock
from convnet_core.runs.run import Run
from convnet_core.training.estimate import describe_cost, expected_seconds, parameter_count, step_count
from convnet_core.training.history import newest_training
from convnet_core.training.speed import known_factor, record_factor

EXAMPLE = "train --preset reference --data mnist --data-dir ~/mnist --run runs/mine"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The training config, --resume and --fork."""
    add_run(parser, "a new folder under the folder of all runs")
    add_preset(parser)
    parser.add_argument("--resume", action="store_true", help="continue the stopped training of --run")
    parser.add_argument(
        "--estimate",
        action="store_true",
        help="do not train: print what the training would cost, after measuring this machine if that was never done",
    )
    parser.add_argument(
        "--fork",
        type=Path,
        metavar="DIR",
        help="start a new run from the training of this one, stopped or finished, with its settings except for those "
        "that other flags change",
    )
    add_config_flags(parser, "training", TrainConfig)


def execute(args: argparse.Namespace) -> int:
    """Train, or continue a stopped training, and print the test accuracy."""
    if args.resume:
        _check_resume(args)
    parent = resolve.named_run(args, args.fork) if args.fork else None
    config = _config(args, parent)
    if args.estimate:
        return _print_estimate(args, config)
    if args.resume:
        run = resolve.named_run(args, args.run)
    else:
        prefix = "fork" if parent else preset(args)
        run = resolve.run_to_write(args, f"{prefix}-{Path(config.data.source).name}")
    if parent and run.path == parent.path:
        raise ConfigError("a fork is a new run", hint="leave --run out, or name another folder")
    with command_job(args, run, "train") as job:
        from convnet_core.stages.train import run_train

        result = run_train(run, config, job, resume=args.resume, parent=parent)
    line = f"{100 * result.test_accuracy:.2f} % test accuracy; the weights are in {resolve.short_path(run)}/train"
    print_results(args, {"run": str(run.path), **dataclasses.asdict(result)}, line)
    return 0


def _check_resume(args: argparse.Namespace) -> None:
    """Raises ConfigError if --resume stands without --run, or beside flags that it would ignore."""
    if args.run is None:
        raise ConfigError("--resume needs --run: the run whose training was stopped")
    if args.estimate:
        raise ConfigError("--estimate is for a new training or a fork; leave out --resume")
    if explicit_fields(args, TrainConfig) or hasattr(args, "preset") or args.fork:
        raise ConfigError("--resume continues with the settings of the stopped training; leave out other flags")


def _print_estimate(args: argparse.Namespace, config: TrainConfig) -> int:
    """Print what a whole training with these settings costs. Measures this machine once, while it trains nothing."""
    if known_factor(config) is None:
        from convnet_core.training import loop
        from convnet_core.training.calibration import measure_factor

        with device_lock(loop.choose_device(config).type, Monitor()):
            if known_factor(config) is None:  # a training on the device may have measured it meanwhile
                record_factor(config, measure_factor(config))
    results = {
        "weights": parameter_count(config.model),
        "steps": step_count(config),
        "seconds": expected_seconds(config),
    }
    print_results(args, results, describe_cost(config))
    return 0


def train_config(args: argparse.Namespace, base: TrainConfig) -> TrainConfig:
    """The config `base` with the flags applied. Raises ConfigError."""
    fields = explicit_fields(args, TrainConfig)
    if ("data", "folder") in fields and fields.get(("data", "source"), base.data.source) not in _WITH_FOLDER:
        raise ConfigError(
            f"--data-dir is only for --data {' or '.join(_WITH_FOLDER)}", hint=f"add --data {_WITH_FOLDER[0]}"
        )
    config = apply_flags(args, base)
    return replace_fields(config, {("data",): absolute(config.data).to_json()})


_WITH_FOLDER = tuple(source.name for source in SOURCES.values() if source.setting == "folder")


def _config(args: argparse.Namespace, parent: Run | None) -> TrainConfig:
    """The settings of the preset, or without --preset those of the parent's newest training, with the flags applied."""
    if parent is None or hasattr(args, "preset"):
        return train_config(args, PRESETS[preset(args)])
    record = newest_training(parent)
    if record is None:
        raise RunError(
            f"the run {parent.name} has no training to start from",
            hint="stop its training first, or wait for the end of its first epoch",
        )
    return train_config(args, TrainConfig.from_json(record.config))


def preset(args: argparse.Namespace) -> str:
    """The name of the preset."""
    return getattr(args, "preset", DEFAULT_PRESET)
