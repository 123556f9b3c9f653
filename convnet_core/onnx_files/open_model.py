"""Open an ONNX file: load, repair and check it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx

from convnet_core.onnx_files import model_file
from convnet_core.onnx_files.repairs import repair


def open_model(
    path: Path, load: Callable[[Path], onnx.ModelProto] = model_file.load
) -> tuple[onnx.ModelProto, list[str]]:
    """Load, repair and check a model. Returns it with a list of repairs. `load` reads the file.

    Raises ModelError if it cannot be read, ConversionError if it is not a valid model.
    """
    model = load(path)
    repairs = repair(model)
    model_file.check(model)
    return model, repairs
