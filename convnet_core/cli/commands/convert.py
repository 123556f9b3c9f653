"""The command `convert`: ONNX to TensorFlow and TFLite; with --check only whether that is possible."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from convnet_core.cli import resolve
from convnet_core.cli.job import command_job, import_model
from convnet_core.cli.shared_flags import add_model, add_run
from convnet_core.cli.terminal import print_results
from convnet_core.config.flags import add_config_flags
from convnet_core.config.stages import ConvertConfig, DataConfig
from convnet_core.runs.provenance import data_of

EXAMPLE = "convert --run runs/mine --only saved-model,tflite-fp32"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The conversion config, the model, and what int8 is calibrated with."""
    add_run(parser, "the newest run; with --onnx a new folder")
    add_model(parser)
    parser.add_argument(
        "--check", action="store_true", help="only list what the native converter does not support, if anything"
    )
    parser.add_argument(
        "--calibration", type=Path, metavar="FILE", help="an .npz with int8 calibration samples [n, ...] by input name"
    )
    add_config_flags(parser, "conversion", ConvertConfig)
    add_config_flags(parser, "calibration data (default: the run's data set)", DataConfig, defaults=False)


def execute(args: argparse.Namespace) -> int:
    """Convert the model and print the paths of the files."""
    config = resolve.convert_config(args)
    if args.check:
        return _check(args)
    run = resolve.run_of_model(args)
    with command_job(args, run, "convert") as job:
        from convnet_core.stages.convert import run_convert

        model = import_model(args, run, job)
        result = run_convert(
            run,
            config,
            job,
            data_config=resolve.data_override(args, data_of(run)),
            input_spec=resolve.input_spec(args),
            samples=args.calibration,
            model=model,
        )
    paths = [f"{resolve.short_path(run)}/convert/{config.converter}/{file}" for file in result.sizes]
    print_results(args, {"run": str(run.path), **dataclasses.asdict(result)}, *paths)
    return 0


def _check(args: argparse.Namespace) -> int:
    """Print what the native converter does not support, and what was repaired; 2 if the model cannot be converted."""
    from convnet_core.convert.loaded_model import load_imported
    from convnet_core.onnx_files import model_file

    path = args.onnx or resolve.existing_run(args, "export").path / "export" / "model.onnx"
    model = load_imported(model_file.open_file(path))
    faults, repairs = list(model.unsupported), list(model.repairs)
    lines = [f"{path} can be converted"]
    if faults:
        lines = [f"{path} cannot be converted:", *(f"  {fault}" for fault in faults)]
    lines += [f"  {repair}" for repair in repairs]
    print_results(args, {"model": str(path), "faults": faults, "repairs": repairs}, *lines)
    return 2 if faults else 0
