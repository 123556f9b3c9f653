"""The tensors of an ONNX model: types and shapes, inferred if possible, and statistics of the weights."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import numpy as np
import onnx
import onnx.helper
import onnx.numpy_helper
from onnx import AttributeProto, GraphProto, ModelProto, TensorProto, ValueInfoProto

from convnet_core.graphs import weight_statistics
from convnet_core.graphs.graph import Tensor
from convnet_core.onnx_files.tensor_types import dtype_text, inferred_graph, type_of

_FEW = 6
"""The most values of a weight to keep."""

log = logging.getLogger(__name__)


def read(model: ModelProto) -> dict[str, Tensor]:
    """All tensors of the outer graph by name, with the known information."""
    graph, tensors = model.graph, dict[str, Tensor]()
    inferred = inferred_graph(model)
    kinds: tuple[tuple[Literal["value", "input", "output"], Iterable[ValueInfoProto]], ...] = (
        ("value", inferred.value_info),
        ("input", inferred.input),
        ("output", inferred.output),
    )
    for kind, values in kinds:
        for value in values:
            tensors[value.name] = Tensor(value.name, *type_of(value.type), kind=kind)
    for name, array, dtype, shape in _weights(graph):
        statistics = weight_statistics.of_values(array) if array is not None else None
        tensors[name] = Tensor(name, dtype, shape, "weight", statistics, _few(array))
    for name in {name for node in graph.node for name in (*node.input, *node.output)} - tensors.keys() - {""}:
        tensors[name] = Tensor(name)
    return dict(sorted(tensors.items()))


def _few(array: Any) -> tuple[int | float, ...]:
    """The values of a small array of numbers that JSON can hold; () of any other."""
    if array is None or array.size > _FEW or array.ndim > 1 or array.dtype.kind not in "iuf":
        return ()
    return tuple(array.ravel().tolist()) if np.isfinite(array).all() else ()


def _weights(graph: GraphProto) -> Iterator[tuple[str, Any, str, tuple[int, ...]]]:
    """The initializers and constants: name, values (None if unknown), dtype, shape."""
    for tensor in graph.initializer:
        yield tensor.name, array_of(tensor), dtype_text(tensor.data_type), tuple(tensor.dims)
    for sparse in graph.sparse_initializer:
        yield sparse.values.name, None, dtype_text(sparse.values.data_type), tuple(sparse.dims)
    for node in graph.node:
        if node.op_type == "Constant" and node.domain in ("", "ai.onnx") and node.output and node.attribute:
            yield node.output[0], *_constant(node.attribute[0])


def _constant(item: AttributeProto) -> tuple[Any, str, tuple[int, ...]]:
    """The values, dtype and shape of a Constant node."""
    match item.type:
        case AttributeProto.TENSOR:
            return array_of(item.t), dtype_text(item.t.data_type), tuple(item.t.dims)
        case AttributeProto.SPARSE_TENSOR:
            return None, dtype_text(item.sparse_tensor.values.data_type), tuple(item.sparse_tensor.dims)
        case AttributeProto.FLOAT | AttributeProto.FLOATS:
            array = np.array(onnx.helper.get_attribute_value(item), np.float32)
        case AttributeProto.INT | AttributeProto.INTS:
            array = np.array(onnx.helper.get_attribute_value(item), np.int64)
        case _:
            return None, "string", (len(item.strings),) if item.type == AttributeProto.STRINGS else ()
    return array, array.dtype.name, array.shape


def array_of(tensor: TensorProto) -> Any:
    """The values of a tensor; None if they cannot be read."""
    try:
        return onnx.numpy_helper.to_array(tensor)
    except Exception as error:  # external or truncated data, or a type that NumPy lacks
        log.info("the values of %s cannot be read: %s", tensor.name, error)
        return None


def element_count(dims: Iterable[int]) -> int:
    """The number of values of a shape."""
    return math.prod(dims)
