"""The command `compare`: every runtime on the same inputs."""

from __future__ import annotations

import argparse

from convnet_core.cli import resolve
from convnet_core.cli.job import command_job, import_and_convert, print_comparison
from convnet_core.cli.shared_flags import add_model, add_run
from convnet_core.config.flags import add_config_flags, apply_flags
from convnet_core.config.stages import CompareConfig, DataConfig
from convnet_core.runs.provenance import data_of

EXAMPLE = "compare --run runs/mine --rtol 1e-5"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The comparison config, and the model and data to compare on."""
    add_run(parser, "the newest run; with --onnx a new folder")
    add_model(parser)
    add_config_flags(parser, "comparison", CompareConfig)
    add_config_flags(parser, "data to compare on (default: the run's data set)", DataConfig, defaults=False)


def execute(args: argparse.Namespace) -> int:
    """Compare the runtimes and print the verdict, which is also the exit status."""
    config = apply_flags(args, CompareConfig())
    run = resolve.run_of_model(args)
    with command_job(args, run, "compare") as job:
        from convnet_core.stages.compare import run_compare

        input_spec = resolve.input_spec(args)
        model = import_and_convert(args, run, job, input_spec)
        data_config = resolve.data_override(args, data_of(run))
        run_compare(run, config, job, data_config=data_config, input_spec=input_spec, model=model)
    return print_comparison(args, run)
