"""The commands and their flags. Imports nothing heavy: `--help` answers at once."""

from __future__ import annotations

import argparse
from pathlib import Path

from convnet_core import __version__
from convnet_core.cli import shared_flags as flags
from convnet_core.cli.config_flags import add_flags
from convnet_core.config.stages import (
    AugmentConfig,
    BenchmarkConfig,
    CompareConfig,
    ConvertConfig,
    DataConfig,
    DissectConfig,
    ExportConfig,
    TrainConfig,
)
from convnet_core.convert.targets.table import TARGETS

_DESCRIPTION = """\
Train a convolutional network in PyTorch, export it to ONNX, convert it to TensorFlow and LiteRT,
and prove on the whole test set that every runtime gives the same answers."""

_EPILOG = """\
exit status: 0 done, and the runtimes agree; 1 the runtimes disagree; 2 wrong usage or input;
3 stopped; 4 a fault of ours. Results go to standard output, everything else to standard error."""


def build_parser() -> argparse.ArgumentParser:
    """The whole command line; the parsed `command` names the function in `commands.py`."""
    parser = argparse.ArgumentParser(
        prog="python -m convnet_core",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    pipeline = flags.command(
        commands,
        "pipeline",
        "train, export, convert and compare, into one run",
        "pipeline --preset fast --data strokes",
    )
    flags.run(pipeline, "a new folder under the runs root")
    flags.preset(pipeline)
    add_flags(pipeline, "training", TrainConfig)
    add_flags(pipeline, "export", ExportConfig)
    add_flags(pipeline, "conversion", ConvertConfig)
    add_flags(pipeline, "comparison", CompareConfig)

    train = flags.command(
        commands,
        "train",
        "train a network and evaluate it on the test set",
        "train --preset reference --data mnist --data-dir ~/mnist --run runs/mine",
    )
    flags.run(train, "a new folder under the runs root")
    flags.preset(train)
    train.add_argument("--resume", action="store_true", help="go on with the training of --run that was stopped")
    add_flags(train, "training", TrainConfig)

    export = flags.command(commands, "export", "PyTorch to ONNX", "export --run runs/mine --weights model.pth")
    flags.run(export, "the newest run; with --weights or --factory a new folder")
    elsewhere = export.add_mutually_exclusive_group()
    elsewhere.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        help="weights made elsewhere (.pth, .safetensors or .npz), instead of the run's",
    )
    flags.factory(export, elsewhere)
    add_flags(export, "export", ExportConfig)

    upload = flags.command(
        commands,
        "upload",
        "bring an ONNX file into a run, opened under limits of memory and time, as the app does",
        "upload --onnx resnet18.onnx --run runs/resnet18",
    )
    flags.run(upload, "a new folder")
    upload.add_argument("--onnx", type=Path, metavar="FILE", required=True, help="one file, its weights inside")

    convert = flags.command(
        commands,
        "convert",
        f"ONNX to {', '.join(target.name for target in TARGETS)}",
        "convert --run runs/mine --only saved-model,tflite-fp32",
    )
    flags.run(convert, "the newest run; with --onnx a new folder")
    flags.model(convert)
    convert.add_argument(
        "--check", action="store_true", help="only say what the native converter cannot take of the model, if anything"
    )
    convert.add_argument(
        "--calibration", type=Path, metavar="FILE", help="samples for int8 by input name, [n, ...] each, as .npz"
    )
    add_flags(convert, "conversion", ConvertConfig)
    add_flags(convert, "data to calibrate with (default: what the run was trained on)", DataConfig, defaults=False)

    compare = flags.command(
        commands,
        "compare",
        "all runtimes on the same inputs: report.json, report.html, report.md",
        "compare --run runs/mine --rtol 1e-5",
    )
    flags.run(compare, "the newest run; with --onnx a new folder")
    flags.model(compare)
    add_flags(compare, "comparison", CompareConfig)
    add_flags(compare, "data to compare on (default: what the run was trained on)", DataConfig, defaults=False)

    benchmark = flags.command(
        commands,
        "benchmark",
        "how fast every runtime loads and answers, and the memory that it takes",
        "benchmark --run runs/mine --batch-sizes 1,32 --seconds 2",
    )
    flags.run(benchmark, "the newest run; with --onnx a new folder")
    flags.onnx(benchmark)
    add_flags(benchmark, "measuring", BenchmarkConfig)

    dissect = flags.command(
        commands,
        "dissect",
        "take a conversion apart: what each node became, and where error is born",
        "dissect --run runs/mine --lesson flatten-order",
    )
    flags.run(dissect, "the newest run; with --onnx a new folder")
    flags.model(dissect)
    flags.factory(dissect)
    add_flags(dissect, "how closely", DissectConfig)

    refresh = flags.command(
        commands,
        "refresh",
        "run again what is missing or stale, with the settings that it had",
        "refresh --run runs/mine",
    )
    flags.run(refresh, "the newest run")

    predict = flags.command(
        commands,
        "predict",
        "read digits from image files with every runtime",
        "predict seven.png photo.jpg --run runs/mine",
    )
    flags.run(predict, "the newest run")
    predict.add_argument(
        "images",
        nargs="+",
        type=Path,
        metavar="IMAGE",
        help="PNG or JPEG of any size, dark on light or light on dark, one digit each",
    )
    predict.add_argument(
        "--feature-maps", type=Path, metavar="FILE", help="write PyTorch's feature maps after layer1 as PNG"
    )
    predict.add_argument(
        "--keep",
        type=int,
        choices=range(10),
        metavar="DIGIT",
        help="keep the images, all of this digit, in the run's folder drawings/: `compare` then includes them",
    )

    data = flags.command(
        commands, "data", "count and show the digits of a data set", "data --data strokes --gallery digits.png"
    )
    data.add_argument("--gallery", type=Path, metavar="FILE", help="write a contact sheet of training images as PNG")
    data.add_argument("--gallery-seed", type=int, metavar="N", default=0, help="which images to show (default 0)")
    add_flags(data, "data", DataConfig)
    add_flags(data, "distortions to show on the contact sheet", AugmentConfig)

    pack = flags.command(
        commands,
        "pack",
        "all artefacts of a run as one zip, with what each is",
        "pack --run runs/mine --output mine.zip",
    )
    flags.run(pack, "the newest run")
    flags.artefact(pack, "pack this one alone")
    pack.add_argument("--output", type=Path, metavar="FILE", help="the zip (default: the run's name, here)")
    pack.add_argument("--force", action="store_true", help="replace the file where it is there already")

    snippet = flags.command(
        commands,
        "snippet",
        "plain Python that loads each artefact without this project",
        "snippet --run runs/mine --artefact model.int8.tflite",
    )
    flags.run(snippet, "the newest run")
    flags.artefact(snippet, "print this one's alone")

    graph = ("the nodes of an ONNX model, as a table or laid out", "graph --run runs/mine")
    flags.graph(flags.command(commands, "graph", *graph))
    runs = ("list, rename and delete runs", "runs rename 20261123-101500-fast-strokes demo")
    flags.runs(flags.command(commands, "runs", *runs))
    flags.app(flags.command(commands, "app", "serve the app, to open in a browser", "app --port 8600"))
    doctor = "what is installed, which devices there are, and how to mend what is wrong"
    flags.command(commands, "doctor", doctor, "doctor")
    return parser
