"""The command `pipeline`: train, export, convert and compare in one run."""

from __future__ import annotations

import argparse
from pathlib import Path

from convnet_core.cli import resolve
from convnet_core.cli.commands.train import preset, train_config
from convnet_core.cli.job import command_job, print_comparison
from convnet_core.cli.shared_flags import add_preset, add_run
from convnet_core.config.flags import add_config_flags, apply_flags
from convnet_core.config.stages import PRESETS, CompareConfig, ConvertConfig, ExportConfig, TrainConfig
from convnet_core.events import Settings

EXAMPLE = "pipeline --preset fast --data strokes"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The configs of all four stages."""
    add_run(parser, "a new folder under the folder of all runs")
    add_preset(parser)
    add_config_flags(parser, "training", TrainConfig)
    add_config_flags(parser, "export", ExportConfig)
    add_config_flags(parser, "conversion", ConvertConfig)
    add_config_flags(parser, "comparison", CompareConfig)


def execute(args: argparse.Namespace) -> int:
    """Run the four stages and print the comparison."""
    train, export = train_config(args, PRESETS[preset(args)]), apply_flags(args, ExportConfig())
    convert, compare = resolve.convert_config(args), apply_flags(args, CompareConfig())
    run = resolve.run_to_write(args, f"{preset(args)}-{Path(train.data.source).name}")
    with command_job(args, run, "pipeline") as job:
        job.emit(Settings(config=train.to_json()))  # the app shows the digits while the libraries load
        from convnet_core.convert.targets import tflite

        tflite.warm_up()  # the worker imports TensorFlow while this process imports PyTorch

        from convnet_core.compare import worker_session
        from convnet_core.convert.loaded_model import load_model
        from convnet_core.stages.compare import run_compare
        from convnet_core.stages.convert import run_convert
        from convnet_core.stages.export import run_export
        from convnet_core.stages.train import run_train

        run_train(run, train, job)
        worker_session.warm_up()  # not during the training, which uses all cores
        run_export(run, export, job)
        model = load_model(run)
        run_convert(run, convert, job, model=model)
        run_compare(run, compare, job, model=model)
    return print_comparison(args, run)
