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
from convnet_core.errors import ConfigError

EXAMPLE = "train --preset reference --data mnist --data-dir ~/mnist --run runs/mine"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The training config, and --resume."""
    add_run(parser, "a new folder under the folder of all runs")
    add_preset(parser)
    parser.add_argument("--resume", action="store_true", help="continue the stopped training of --run")
    add_config_flags(parser, "training", TrainConfig)


def execute(args: argparse.Namespace) -> int:
    """Train, or continue a stopped training, and print the test accuracy."""
    if args.resume:
        if args.run is None:
            raise ConfigError("--resume needs --run: the run whose training was stopped")
        if explicit_fields(args, TrainConfig) or hasattr(args, "preset"):
            raise ConfigError("--resume continues with the settings of the stopped training; leave out other flags")
        run, config = resolve.named_run(args, args.run), TrainConfig()
    else:
        config = train_config(args)
        run = resolve.run_to_write(args, f"{preset(args)}-{Path(config.data.source).name}")
    with command_job(args, run, "train") as job:
        from convnet_core.stages.train import run_train

        result = run_train(run, config, job, resume=args.resume)
    line = f"{100 * result.test_accuracy:.2f} % test accuracy; the weights are in {resolve.short_path(run)}/train"
    print_results(args, {"run": str(run.path), **dataclasses.asdict(result)}, line)
    return 0


def train_config(args: argparse.Namespace) -> TrainConfig:
    """The preset with the flags applied. Raises ConfigError."""
    fields = explicit_fields(args, TrainConfig)
    if ("data", "folder") in fields and ("data", "source") not in fields:
        names = " or ".join(source.name for source in SOURCES.values() if source.setting == "folder")
        raise ConfigError(f"--data-dir is only for --data {names}", hint=f"add --data {names}")
    config = apply_flags(args, PRESETS[preset(args)])
    return replace_fields(config, {("data",): absolute(config.data).to_json()})


def preset(args: argparse.Namespace) -> str:
    """The name of the preset."""
    return getattr(args, "preset", DEFAULT_PRESET)
