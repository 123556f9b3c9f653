"""The commands and their flags. Imports nothing heavy: `--help` answers at once."""

from __future__ import annotations

import argparse
from pathlib import Path

from convnet_core import __version__
from convnet_core.cli.flags import add_flags
from convnet_core.config import (
    DEFAULT_PRESET,
    PRESETS,
    AugmentConfig,
    BenchmarkConfig,
    CompareConfig,
    ConvertConfig,
    DataConfig,
    ExportConfig,
    TrainConfig,
)
from convnet_core.settings import describe, value_at

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

    pipeline = _command(
        commands,
        "pipeline",
        "train, export, convert and compare, into one run",
        "pipeline --preset fast --data strokes",
    )
    _run(pipeline, "a new folder under the runs root")
    _preset(pipeline)
    add_flags(pipeline, "training", TrainConfig)
    add_flags(pipeline, "export", ExportConfig)
    add_flags(pipeline, "conversion", ConvertConfig)
    add_flags(pipeline, "comparison", CompareConfig)

    train = _command(
        commands,
        "train",
        "train a network and evaluate it on the test set",
        "train --preset reference --data mnist --data-dir ~/mnist --run runs/mine",
    )
    _run(train, "a new folder under the runs root")
    _preset(train)
    train.add_argument("--resume", action="store_true", help="go on with the training of --run that was stopped")
    add_flags(train, "training", TrainConfig)

    export = _command(commands, "export", "PyTorch to ONNX", "export --run runs/mine --weights model.pth")
    _run(export, "the newest run; with --weights or --factory a new folder")
    elsewhere = export.add_mutually_exclusive_group()
    elsewhere.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        help="a state_dict (.pth or .safetensors) made elsewhere, instead of the run's",
    )
    elsewhere.add_argument(
        "--factory",
        metavar="PACKAGE.MODULE:FUNCTION",
        help="any PyTorch network: what this function returns, alone or with a tuple of example tensors. Runs its code",
    )
    export.add_argument(
        "--example",
        action="append",
        default=[],
        metavar="SHAPE",
        help="an input of that network: 2,3,224,224 or int64:2,16 or samples.npy; once for each, in their order",
    )
    add_flags(export, "export", ExportConfig)

    upload = _command(
        commands,
        "upload",
        "bring an ONNX file into a run, opened under limits of memory and time, as the app does",
        "upload --onnx resnet18.onnx --run runs/resnet18",
    )
    _run(upload, "a new folder")
    upload.add_argument("--onnx", type=Path, metavar="FILE", required=True, help="one file, its weights inside")

    convert = _command(
        commands, "convert", "ONNX to SavedModel, frozen graph, and TFLite fp32, fp16, int8", "convert --run runs/mine"
    )
    _run(convert, "the newest run; with --onnx a new folder")
    _model(convert)
    convert.add_argument(
        "--check", action="store_true", help="only say what the native converter cannot take of the model, if anything"
    )
    convert.add_argument(
        "--calibration", type=Path, metavar="FILE", help="samples for int8 by input name, [n, ...] each, as .npz"
    )
    add_flags(convert, "conversion", ConvertConfig)
    add_flags(convert, "data to calibrate with (default: what the run was trained on)", DataConfig, defaults=False)

    compare = _command(
        commands,
        "compare",
        "all runtimes on the same inputs: report.json, report.html, report.md",
        "compare --run runs/mine --rtol 1e-5",
    )
    _run(compare, "the newest run; with --onnx a new folder")
    _model(compare)
    add_flags(compare, "comparison", CompareConfig)
    add_flags(compare, "data to compare on (default: what the run was trained on)", DataConfig, defaults=False)

    benchmark = _command(
        commands,
        "benchmark",
        "how fast every runtime loads and answers, and the memory that it takes",
        "benchmark --run runs/mine --batch-sizes 1,32 --seconds 2",
    )
    _run(benchmark, "the newest run; with --onnx a new folder")
    _onnx(benchmark)
    add_flags(benchmark, "measuring", BenchmarkConfig)

    refresh = _command(
        commands,
        "refresh",
        "run again what is missing or stale, with the settings that it had",
        "refresh --run runs/mine",
    )
    _run(refresh, "the newest run")

    predict = _command(
        commands,
        "predict",
        "read digits from image files with every runtime",
        "predict seven.png photo.jpg --run runs/mine",
    )
    _run(predict, "the newest run")
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

    data = _command(
        commands, "data", "count and show the digits of a data set", "data --data strokes --gallery digits.png"
    )
    data.add_argument("--gallery", type=Path, metavar="FILE", help="write a contact sheet of training images as PNG")
    data.add_argument("--gallery-seed", type=int, metavar="N", default=0, help="which images to show (default 0)")
    add_flags(data, "data", DataConfig)
    add_flags(data, "distortions to show on the contact sheet", AugmentConfig)

    pack = _command(
        commands,
        "pack",
        "all artefacts of a run as one zip, with what each is",
        "pack --run runs/mine --output mine.zip",
    )
    _run(pack, "the newest run")
    _artefact(pack, "pack this one alone")
    pack.add_argument("--output", type=Path, metavar="FILE", help="the zip (default: the run's name, here)")
    pack.add_argument("--force", action="store_true", help="replace the file where it is there already")

    snippet = _command(
        commands,
        "snippet",
        "plain Python that loads each artefact without this project",
        "snippet --run runs/mine --artefact model.int8.tflite",
    )
    _run(snippet, "the newest run")
    _artefact(snippet, "print this one's alone")

    _graph(_command(commands, "graph", "the nodes of an ONNX model, as a table or laid out", "graph --run runs/mine"))

    _runs(_command(commands, "runs", "list, rename and delete runs", "runs rename 20261123-101500-fast-strokes demo"))
    _command(commands, "doctor", "what is installed, which devices there are, and how to mend what is wrong", "doctor")
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, help_text: str, example: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        help=help_text,
        description=help_text[0].upper() + help_text[1:] + ".",
        epilog=f"example: python -m convnet_core {example}",
    )
    _common(parser, argparse.SUPPRESS if name == "runs" else False)
    return parser


def _common(parser: argparse.ArgumentParser, json_default: object = argparse.SUPPRESS) -> None:
    parser.add_argument("--json", action="store_true", default=json_default, help="results as JSON on standard output")
    parser.add_argument(
        "--runs",
        type=Path,
        metavar="DIR",
        default=argparse.SUPPRESS,
        help="the root of all runs (default: $CONVNET_RUNS_DIR, else runs/)",
    )


def _run(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument("--run", type=Path, metavar="DIR", help=f"the run's folder (default: {default})")
    parser.add_argument("--job", help=argparse.SUPPRESS)


def _artefact(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument(
        "--artefact", metavar="NAME", help=f"{what}: model.onnx, saved_model, frozen.pb, or its path in the run"
    )


def _onnx(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--onnx", type=Path, metavar="FILE", help="a model from elsewhere, which --run is made for")


def _model(parser: argparse.ArgumentParser) -> None:
    _onnx(parser)
    group = parser.add_argument_group("what such a model is fed with (default: random numbers that fit its inputs)")
    for flag, value, text in (
        ("input", "NAME=FILE.npy", "samples of an input, [n, ...]"),
        ("shape", "NAME=N,N,...", "the whole shape of an input, its batch included"),
        ("range", "NAME=LOW,HIGH", "the lowest and the highest value of an input"),
    ):
        group.add_argument(f"--{flag}", action="append", default=[], metavar=value, help=f"{text}; can be repeated")


def _preset(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--preset",
        choices=PRESETS,
        default=argparse.SUPPRESS,
        help=f"where the training flags start from (default {DEFAULT_PRESET}); {_difference()}. "
        "The defaults below are those of reference",
    )


def _difference() -> str:
    """What each preset sets otherwise than `reference`."""
    plain = PRESETS["reference"]
    parts = []
    for name, config in PRESETS.items():
        changed = [
            f"--{field.flag} {value_at(config, field.path)}"
            for field in describe(TrainConfig)
            if value_at(config, field.path) != value_at(plain, field.path)
        ]
        parts.append(f"{name}: {' '.join(changed) or 'the original recipe'}")
    return "; ".join(parts)


def _graph(parser: argparse.ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--run", type=Path, metavar="DIR", help="the run's folder (default: the newest run)")
    source.add_argument("--onnx", "--model", type=Path, metavar="FILE", help="an ONNX file, instead of a run's")


def _runs(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    rename = actions.add_parser(
        "rename", help="give a run another name", epilog="example: python -m convnet_core runs rename old-name demo"
    )
    rename.add_argument("name", help="the run, by name or folder")
    rename.add_argument("new_name")
    delete = actions.add_parser(
        "delete", help="remove runs with all their files", epilog="example: python -m convnet_core runs delete demo"
    )
    delete.add_argument("names", nargs="+", metavar="name", help="the run, by name or folder")
    for action in (rename, delete):
        _common(action)
