"""`convert --check`: whether a model can be converted, without converting it."""

from __future__ import annotations

import argparse

from convnet_core.cli import resolve
from convnet_core.cli.terminal import results


def check(args: argparse.Namespace) -> int:
    """Whether the native converter takes a model, without converting it."""
    from convnet_core import onnx_model
    from convnet_core.convert import native

    path = args.onnx or resolve.existing_run(args, "export").path / "export" / "model.onnx"
    faults = [str(fault) for fault in native.check(onnx_model.load(path))]
    said = (
        [f"{path} cannot be converted:", *(f"  {fault}" for fault in faults)]
        if faults
        else [f"{path} can be converted"]
    )
    results(args, {"model": str(path), "faults": faults}, *said)
    return 2 if faults else 0
