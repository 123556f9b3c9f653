"""The dtype and shape of each tensor in an ONNX model, inferred if possible."""

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
    """The dtype and shape of each tensor, including subgraphs. Unknown ones are "" and None."""
    result: dict[str, tuple[str, Shape | None]] = {}
    pending = [inferred_graph(model)]
    while pending:
        graph = pending.pop()
        for value in (*graph.value_info, *graph.input, *graph.output):
            result[value.name] = type_of(value.type)
        for tensor in graph.initializer:
            result[tensor.name] = dtype_text(tensor.data_type), tuple(tensor.dims)
        pending.extend(
            inner for node in graph.node for item in node.attribute for inner in (*item.graphs, item.g) if inner.node
        )
    return result


def inferred_graph(model: ModelProto) -> GraphProto:
    """The graph with inferred tensor types, or as declared if inference fails."""
    try:
        return infer(without_weights(model)).graph
    except Exception as error:  # a contradictory graph can still be drawn
        log.info("no shapes inferred: %s", error)
        return model.graph


def type_of(value: TypeProto) -> tuple[str, tuple[Dimension, ...] | None]:
    """The dtype and shape of a type. A container (sequence, optional, map) has its name as dtype and no shape."""
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
    """NumPy's name for an element type, or a description if NumPy has none."""
    try:
        name = str(TensorProto.DataType.Name(number)).lower()
    except ValueError:
        return f"type {number}"
    return {"float": "float32", "double": "float64", "undefined": ""}.get(name, name)


def dtype_name(number: int) -> str:
    """NumPy's name for an ONNX dtype; "str" for strings."""
    if number == TensorProto.STRING:
        return "str"
    return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(number)).name
