"""Open an ONNX model and check whether it converts, for `convert`, `convert --check`, `graph` and uploads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import onnx

from convnet_core.convert.native import converter
from convnet_core.errors import ConversionError
from convnet_core.onnx_files import model_file
from convnet_core.onnx_files.open_model import open_model


@dataclass(frozen=True)
class Intake:
    """A model after repair and check.

    `repairs` lists what was changed, `unsupported` what the native converter cannot convert, one line each.
    """

    model: onnx.ModelProto
    repairs: tuple[str, ...]
    unsupported: tuple[str, ...]


def open_and_check(path: Path, load: Callable[[Path], onnx.ModelProto] = model_file.load) -> Intake:
    """Open a model with `open_model` and check whether it can be converted. Does not import TensorFlow.

    Also raises ModelError if an input or output is not a plain tensor.
    """
    model, repairs = open_model(path, load)
    return examine(model, repairs)


def examine(model: onnx.ModelProto, repairs: list[str]) -> Intake:
    """Check whether a repaired model can be converted. Raises ModelError like `open_and_check`."""
    model_file.inputs(model), model_file.outputs(model)
    return Intake(model, tuple(repairs), _unsupported(model))


def _unsupported(model: onnx.ModelProto) -> tuple[str, ...]:
    try:
        return tuple(str(node) for node in converter.check(model))
    except ConversionError as error:
        return (str(error),)
