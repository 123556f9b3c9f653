"""Open an ONNX file and say what goes in and what comes out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx.helper

from convnet_core.errors import ModelError
from convnet_core.tensors import TensorInfo


def load(path: Path) -> onnx.ModelProto:
    """The model of a file. Raises ModelError."""
    try:
        return onnx.load(path)
    except FileNotFoundError as error:
        raise ModelError(f"{path}: no such file") from error
    except Exception as error:  # protobuf's DecodeError among others
        raise ModelError(f"{path} is not an ONNX model: {str(error).splitlines()[0]}") from error


def inputs(model: onnx.ModelProto) -> tuple[TensorInfo, ...]:
    """The inputs that a caller feeds: those that no initializer fills."""
    filled = {tensor.name for tensor in model.graph.initializer}
    return tuple(_info(value) for value in model.graph.input if value.name not in filled)


def outputs(model: onnx.ModelProto) -> tuple[TensorInfo, ...]:
    """The outputs, in their order."""
    return tuple(_info(value) for value in model.graph.output)


def _info(value: onnx.ValueInfoProto) -> TensorInfo:
    if not value.type.HasField("tensor_type"):
        raise ModelError(f"{value.name!r} is not a plain tensor, and only those are supported")
    tensor = value.type.tensor_type
    dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)).name
    shape = tuple(dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim)
    return TensorInfo(value.name, dtype, shape)
