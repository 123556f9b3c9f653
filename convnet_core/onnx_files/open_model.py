"""The one way to open an ONNX file: load, repair, check."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx

from convnet_core.onnx_files import model_file
from convnet_core.onnx_files.repairs import repair


def open_model(
    path: Path, load: Callable[[Path], onnx.ModelProto] = model_file.load
) -> tuple[onnx.ModelProto, list[str]]:
    """The model of a file, repaired and checked, and what was repaired. `load` opens the file.

    Raises ModelError where it cannot be read, ConversionError where it is no valid model.
    """
    model = load(path)
    repairs = repair(model)
    model_file.check(model)
    return model, repairs
