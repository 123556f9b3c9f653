"""Flags that several commands have. Imports nothing heavy."""

from __future__ import annotations

import argparse
from pathlib import Path

from convnet_core.config.fields import describe, value_at
from convnet_core.config.stages import DEFAULT_PRESET, PRESETS, TrainConfig


def command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, help_text: str, example: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        help=help_text,
        description=help_text[0].upper() + help_text[1:] + ".",
        epilog=f"example: python -m convnet_core {example}",
    )
    common(parser, argparse.SUPPRESS if name == "runs" else False)
    return parser


def common(parser: argparse.ArgumentParser, json_default: object = argparse.SUPPRESS) -> None:
    parser.add_argument("--json", action="store_true", default=json_default, help="results as JSON on standard output")
    parser.add_argument(
        "--runs",
        type=Path,
        metavar="DIR",
        default=argparse.SUPPRESS,
        help="the root of all runs (default: $CONVNET_RUNS_DIR, else runs/)",
    )


def run(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument("--run", type=Path, metavar="DIR", help=f"the run's folder (default: {default})")
    parser.add_argument("--job", help=argparse.SUPPRESS)


def artefact(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument(
        "--artefact", metavar="NAME", help=f"{what}: model.onnx, saved_model, frozen.pb, or its path in the run"
    )


def onnx(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--onnx", type=Path, metavar="FILE", help="a model from elsewhere, which --run is made for")


def model(parser: argparse.ArgumentParser) -> None:
    onnx(parser)
    group = parser.add_argument_group("what such a model is fed with (default: random numbers that fit its inputs)")
    for flag, value, text in (
        ("input", "NAME=FILE.npy", "samples of an input, [n, ...]"),
        ("shape", "NAME=N,N,...", "the whole shape of an input, its batch included"),
        ("range", "NAME=LOW,HIGH", "the lowest and the highest value of an input"),
    ):
        group.add_argument(f"--{flag}", action="append", default=[], metavar=value, help=f"{text}; can be repeated")


def factory(parser: argparse.ArgumentParser, group: argparse._MutuallyExclusiveGroup | None = None) -> None:
    """A network that a function of somebody's makes."""
    (group or parser).add_argument(
        "--factory",
        metavar="PACKAGE.MODULE:FUNCTION",
        help="any PyTorch network: what this function returns, alone or with a tuple of example tensors. Runs its code",
    )
    parser.add_argument(
        "--example",
        action="append",
        default=[],
        metavar="SHAPE",
        help="an input of that network: 2,3,224,224 or int64:2,16 or samples.npy; once for each, in their order",
    )


def preset(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--preset",
        choices=PRESETS,
        default=argparse.SUPPRESS,
        help=f"where the training flags start from (default {DEFAULT_PRESET}); {difference()}. "
        "The defaults below are those of reference",
    )


def difference() -> str:
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


def graph(parser: argparse.ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--run", type=Path, metavar="DIR", help="the run's folder (default: the newest run)")
    source.add_argument("--onnx", "--model", type=Path, metavar="FILE", help="an ONNX file, instead of a run's")


def runs(parser: argparse.ArgumentParser) -> None:
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
        common(action)


def app(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, metavar="N", default=8501, help="default %(default)s")
    parser.add_argument(
        "--address",
        metavar="HOST",
        default="127.0.0.1",
        help="where to listen (default %(default)s: this machine alone; read docs/ACCESS.md before you say 0.0.0.0)",
    )
