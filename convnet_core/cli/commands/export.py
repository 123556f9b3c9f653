"""The command `export`: a PyTorch network to ONNX."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from convnet_core.cli import resolve
from convnet_core.cli.job import announce_replacement, command_job
from convnet_core.cli.shared_flags import add_factory, add_run
from convnet_core.cli.terminal import print_results
from convnet_core.config.flags import add_config_flags, apply_flags
from convnet_core.config.stages import ExportConfig
from convnet_core.errors import ConfigError

EXAMPLE = "export --run runs/mine --weights model.pth"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The export config, and where the network comes from."""
    add_run(parser, "the newest run; with --weights or --factory a new folder")
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        help="weights trained elsewhere (.pth, .safetensors or .npz), instead of the run's",
    )
    add_factory(parser, source)
    add_config_flags(parser, "export", ExportConfig)


def execute(args: argparse.Namespace) -> int:
    """Export the run's network, other weights, or the network of a factory, and print the path of the ONNX file."""
    config = apply_flags(args, ExportConfig())
    if args.example and not args.factory:
        raise ConfigError("--example describes the inputs of a --factory network; add --factory")
    if args.factory:
        run = resolve.run_for_model(args, args.factory.rpartition(":")[2], args.factory)
    else:
        run = resolve.run_to_write(args, "export") if args.weights else resolve.existing_run(args, "train")
    with command_job(args, run, "export") as job:
        from convnet_core.stages.export import run_export
        from convnet_core.stages.export_factory import run_export_factory

        if args.factory:
            announce_replacement(run, args.factory, job)
            result = run_export_factory(run, args.factory, args.example, config, job)
        else:
            result = run_export(run, config, job, weights=args.weights)
    path = f"{resolve.short_path(run)}/export/model.onnx"
    print_results(args, {"run": str(run.path), **dataclasses.asdict(result)}, path)
    return 0
