"""Read an ONNX model into a `Graph`: inline functions, infer shapes, make node names unique."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np
import onnx
import onnx.defs
import onnx.helper
import onnx.inliner
import onnx.numpy_helper
import onnx.shape_inference

from convnet_core.convert.name_scopes import node_scopes
from convnet_core.convert.native.ir import Graph, Info, Node
from convnet_core.errors import ConversionError
from convnet_core.language import _
from convnet_core.onnx_files.operators import operator_version, opsets_of
from convnet_core.onnx_files.shape_inference import infer, without_weights
from convnet_core.onnx_files.tensor_types import dtype_name
from convnet_core.tensors.arrays import TensorInfo

_INFERRED_BYTES = 2**31 - 1  # protobuf's limit; shape inference serializes the model


def read_graph(model: onnx.ModelProto) -> Graph:
    """Read a model whose tensors are loaded. Raises ConversionError if it is malformed."""
    model = add_shapes(onnx.inliner.inline_local_functions(model) if model.functions else model)
    return _graph(model.graph, opsets_of(model), iter(node_scopes(model)), {})


def add_shapes(model: onnx.ModelProto) -> onnx.ModelProto:
    """Add inferred shapes to a model. Returns it unchanged if it is too large or inference fails."""
    light = without_weights(model)
    if light.ByteSize() > _INFERRED_BYTES:
        return model
    try:
        inferred = infer(light)
    except onnx.shape_inference.InferenceError:  # the graph can be read without shapes
        return model
    result = onnx.ModelProto()
    result.CopyFrom(model)
    del result.graph.value_info[:]
    result.graph.value_info.extend(inferred.graph.value_info)
    return result


def _graph(graph: onnx.GraphProto, opsets: dict[str, int], scopes: Iterable[str], outer: dict[str, Info]) -> Graph:
    constants = {tensor.name: to_array(tensor) for tensor in graph.initializer}
    constants.update({tensor.values.name: _dense(tensor) for tensor in graph.sparse_initializer})
    infos = dict(outer)
    for value in itertools.chain(graph.input, graph.value_info, graph.output):
        if (info := _info(value)) is not None:
            infos[value.name] = info
    infos.update({name: Info(array.dtype.name, array.shape) for name, array in constants.items()})
    nodes = []
    for index, (node, scope) in enumerate(zip(graph.node, itertools.chain(scopes, itertools.repeat("")), strict=False)):
        attributes = {item.name: _attribute(item, opsets, infos) for item in node.attribute}
        nodes.append(
            Node(
                op=node.op_type,
                inputs=tuple(node.input),
                outputs=tuple(node.output),
                attributes=attributes,
                domain="" if node.domain == "ai.onnx" else node.domain,
                version=operator_version(node, opsets) or 1,
                name=node.name or f"{node.op_type}_{index}",
                scope=scope or f"{node.op_type}_{index}",
            )
        )
    inputs = tuple(
        TensorInfo(value.name, infos[value.name].dtype, infos[value.name].shape or ())
        if value.name in infos
        else TensorInfo(value.name, "", ())
        for value in graph.input
        if value.name not in constants
    )
    return Graph(inputs, tuple(value.name for value in graph.output), tuple(nodes), constants, infos)


def to_array(tensor: onnx.TensorProto) -> Any:
    """A tensor as an array of the matching dtype (ml_dtypes for bfloat16 and the 4-bit and 8-bit types)."""
    return np.array(onnx.numpy_helper.to_array(tensor))


def _dense(tensor: onnx.SparseTensorProto) -> Any:
    values, indices = to_array(tensor.values), to_array(tensor.indices)
    array = np.zeros(tuple(tensor.dims), values.dtype)
    array[tuple(indices.T) if indices.ndim == 2 else np.unravel_index(indices, array.shape)] = values
    return array


def _info(value: onnx.ValueInfoProto) -> Info | None:
    if not value.type.HasField("tensor_type") or not value.type.tensor_type.elem_type:
        return None
    tensor = value.type.tensor_type
    dtype = dtype_name(tensor.elem_type)
    if not tensor.HasField("shape"):
        return Info(dtype, None)
    return Info(dtype, tuple(dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim))


def _attribute(item: onnx.AttributeProto, opsets: dict[str, int], infos: dict[str, Info]) -> Any:
    kinds = onnx.AttributeProto
    match item.type:
        case kinds.STRING:
            return item.s.decode(errors="replace")
        case kinds.STRINGS:
            return [text.decode(errors="replace") for text in item.strings]
        case kinds.TENSOR:
            return to_array(item.t)
        case kinds.SPARSE_TENSOR:
            return _dense(item.sparse_tensor)
        case kinds.TENSORS:
            return [to_array(tensor) for tensor in item.tensors]
        case kinds.GRAPH:
            return _graph(item.g, opsets, (), infos)
        case kinds.TYPE_PROTO:
            return item.tp
        case kinds.INT | kinds.FLOAT:
            return onnx.helper.get_attribute_value(item)
        case kinds.INTS | kinds.FLOATS:
            return list(onnx.helper.get_attribute_value(item))
    raise ConversionError(
        _(
            "the attribute {name!r} has an unsupported type: {type}",
            name=item.name,
            type=kinds.AttributeType.Name(item.type),
        )
    )
