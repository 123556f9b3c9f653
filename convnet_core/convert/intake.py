"""How an ONNX model comes in: one way for `convert`, `convert --check`, `graph` and the app's uploads."""

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
    """A model that was opened, repaired and checked.

    `repairs` says what was changed in it, `faults` what the native converter cannot take, a line each.
    """

    model: onnx.ModelProto
    repairs: tuple[str, ...]
    faults: tuple[str, ...]


def take_in(path: Path, load: Callable[[Path], onnx.ModelProto] = model_file.load) -> Intake:
    """The model of a file as `open_model` gives it, and whether it can be converted. Does not import TensorFlow.

    Raises ModelError also where an input or output is no plain tensor.
    """
    model, repairs = open_model(path, load)
    return examine(model, repairs)


def examine(model: onnx.ModelProto, repairs: list[str]) -> Intake:
    """A model that was repaired and checked, and whether it can be converted. Raises ModelError as `take_in` does."""
    model_file.inputs(model), model_file.outputs(model)
    return Intake(model, tuple(repairs), _faults(model))


def _faults(model: onnx.ModelProto) -> tuple[str, ...]:
    try:
        return tuple(str(fault) for fault in converter.check(model))
    except ConversionError as error:
        return (str(error),)
