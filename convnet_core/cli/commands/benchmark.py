"""The command `benchmark`: how fast every runtime is, and how much memory it uses."""

from __future__ import annotations

import argparse

from convnet_core.cli import resolve, tables
from convnet_core.cli.job import command_job, import_and_convert
from convnet_core.cli.shared_flags import add_onnx, add_run
from convnet_core.cli.terminal import print_results
from convnet_core.config.flags import add_config_flags, apply_flags
from convnet_core.config.stages import BenchmarkConfig
from convnet_core.tensors.model_inputs import InputSpec

EXAMPLE = "benchmark --run runs/mine --batch-sizes 1,32 --seconds 2"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The benchmark config, and the model."""
    add_run(parser, "the newest run; with --onnx a new folder")
    add_onnx(parser)
    add_config_flags(parser, "measurement", BenchmarkConfig)


def execute(args: argparse.Namespace) -> int:
    """Measure the runtimes and print the table."""
    config = apply_flags(args, BenchmarkConfig())
    run = resolve.run_of_model(args)
    with command_job(args, run, "benchmark") as job:
        from convnet_core.stages.benchmark import run_benchmark

        model = import_and_convert(args, run, job, InputSpec())
        result = run_benchmark(run, config, job, model)
    content = {"run": str(run.path), **result.to_json()}
    print_results(args, content, tables.benchmark(result), *tables.benchmark_failures(result))
    return 0
