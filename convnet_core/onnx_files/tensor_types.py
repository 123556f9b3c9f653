"""The dtype and shape of each tensor of an ONNX model, inferred where that works."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import onnx.helper
from onnx import GraphProto, ModelProto, TensorProto, TypeProto

from convnet_core.onnx_files.shape_inference import GENERATED_PREFIX, infer, without_weights
from convnet_core.onnx_files.shapes import Dimension, Shape

log = logging.getLogger(__name__)


def infer_types(model: ModelProto) -> dict[str, tuple[str, Shape | None]]:
    """The dtype and shape of each tensor, in inner graphs too, where they can be inferred; "" and None where not."""
    found: dict[str, tuple[str, Shape | None]] = {}
    waiting = [inferred_graph(model)]
    while waiting:
        graph = waiting.pop()
        for value in (*graph.value_info, *graph.input, *graph.output):
            found[value.name] = type_of(value.type)
        for tensor in graph.initializer:
            found[tensor.name] = dtype_text(tensor.data_type), tuple(tensor.dims)
        waiting.extend(
            inner for node in graph.node for item in node.attribute for inner in (*item.graphs, item.g) if inner.node
        )
    return found


def inferred_graph(model: ModelProto) -> GraphProto:
    """The graph with the types of its tensors: inferred where that works, as declared where not."""
    try:
        return infer(without_weights(model)).graph
    except Exception as error:  # a graph that contradicts itself is drawn all the same
        log.info("no shapes inferred: %s", error)
        return model.graph


def type_of(value: TypeProto) -> tuple[str, tuple[Dimension, ...] | None]:
    """A type's dtype and shape; containers (sequence, optional, map) are named and have no shape."""
    kind = value.WhichOneof("value")
    match kind:
        case "tensor_type" | "sparse_tensor_type":
            inner = getattr(value, kind)
            return dtype_text(inner.elem_type), _shape(inner.shape) if inner.HasField("shape") else None
        case "sequence_type" | "optional_type":
            return f"{kind.removesuffix('_type')} of {type_of(getattr(value, kind).elem_type)[0]}", None
        case "map_type":
            return f"map of {dtype_text(value.map_type.key_type)} to {type_of(value.map_type.value_type)[0]}", None
        case _:
            return "", None


def _shape(shape: Any) -> tuple[Dimension, ...]:
    names = (dim.dim_param if not dim.dim_param.startswith(GENERATED_PREFIX) else "" for dim in shape.dim)
    return tuple(
        dim.dim_value if dim.HasField("dim_value") else name or None for dim, name in zip(shape.dim, names, strict=True)
    )


def dtype_text(number: int) -> str:
    """The name of an element type, as NumPy spells it."""
    try:
        name = str(TensorProto.DataType.Name(number)).lower()
    except ValueError:
        return f"type {number}"
    return {"float": "float32", "double": "float64", "undefined": ""}.get(name, name)


def dtype_name(number: int) -> str:
    """NumPy's name for a dtype of ONNX; "str" for strings."""
    if number == TensorProto.STRING:
        return "str"
    return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(number)).name
