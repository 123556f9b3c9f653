"""`convert --check`: whether a model can be converted, without converting it."""

from __future__ import annotations

import argparse

from convnet_core.cli import resolve
from convnet_core.cli.terminal import results


def check(args: argparse.Namespace) -> int:
    """Whether the native converter takes a model, without converting it."""
    from convnet_core.convert.intake import open_and_check

    path = args.onnx or resolve.existing_run(args, "export").path / "export" / "model.onnx"
    intake = open_and_check(path)
    faults, repairs = list(intake.unsupported), list(intake.repairs)
    said = [f"{path} can be converted"]
    if faults:
        said = [f"{path} cannot be converted:", *(f"  {fault}" for fault in faults)]
    results(args, {"model": str(path), "faults": faults, "repairs": repairs}, *said, *(f"  {text}" for text in repairs))
    return 2 if faults else 0
