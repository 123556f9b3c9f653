"""The command `upload`: import an ONNX file from an untrusted source, then convert and compare it, as the app does."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from convnet_core.cli import resolve
from convnet_core.cli.job import command_job
from convnet_core.cli.shared_flags import add_run
from convnet_core.cli.terminal import print_results
from convnet_core.config.stages import CompareConfig, ConvertConfig
from convnet_core.jobs.upload import delete_upload, limit_resources

EXAMPLE = "upload --onnx resnet18.onnx --run runs/resnet18"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """--run, --onnx and --compare."""
    add_run(parser, "a new folder")
    parser.add_argument("--onnx", type=Path, metavar="FILE", required=True, help="a single file, with its weights")
    parser.add_argument(
        "--compare", action="store_true", help="then convert the model and compare its runtimes, if it can be converted"
    )


def execute(args: argparse.Namespace) -> int:
    """Import the file under limits and print where it went. The app's copy of the upload is deleted in any case."""
    run = resolve.run_of_upload(args)
    with command_job(args, run, "upload") as job:
        try:
            with limit_resources():
                from convnet_core.onnx_files import model_file
                from convnet_core.stages.import_onnx import run_import_onnx

                result, model = run_import_onnx(run, model_file.open_untrusted(args.onnx), job)
        finally:
            delete_upload(run)
        if args.compare and not model.unsupported:
            from convnet_core.stages.compare import run_compare
            from convnet_core.stages.convert import run_convert

            run_convert(run, ConvertConfig(), job, model=model)
            run_compare(run, CompareConfig(), job, model=model)
    path = f"{resolve.short_path(run)}/export/model.onnx"
    print_results(args, {"run": str(run.path), **dataclasses.asdict(result)}, path)
    return 0
