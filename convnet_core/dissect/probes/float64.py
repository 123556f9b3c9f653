"""The same graph in float64: what float32 would give without rounding.

The native converter converts it for TensorFlow, which has every operator in float64; ONNX Runtime has only a few.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx.numpy_helper
from onnx import TensorProto

from convnet_core.common.tensorflow_import import import_tensorflow
from convnet_core.convert.native import converter
from convnet_core.convert.tensor_location import TensorLocation
from convnet_core.dissect.probes.base import Probe
from convnet_core.errors import ConversionError, one_line
from convnet_core.tensors.arrays import Feeds

_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16)


class Float64Probe(Probe):
    """An ONNX model in float64. The constructor and `values` raise ConversionError if TensorFlow cannot compute it."""

    name, precision = "float64", "float64"

    def __init__(self, model: onnx.ModelProto) -> None:
        self._function = converter.convert(converter.read(to_float64(model)))
        self._names = [name for node in model.graph.node for name in node.output if name]
        self._inputs = {value.name for value in model.graph.input}

    def values(self, feeds: Feeds) -> Feeds:
        tf = import_tensorflow()

        def everything(tensors: dict[str, Any]) -> dict[str, Any]:
            self._function(tensors)
            places = {name: self._place(name).source for name in self._names}
            values = self._function.values
            return {name: values[source] for name, source in places.items() if _is_tensor(values.get(source))}

        tensors = {
            name: tf.constant(array.astype(np.float64) if array.dtype.kind == "f" else array)
            for name, array in feeds.items()
            if name in self._inputs
        }
        try:
            outputs = tf.function(everything, autograph=False)(tensors)
        except tf.errors.OpError as error:
            raise ConversionError(one_line(error)) from error
        return {name: self._place(name).value(value.numpy()) for name, value in outputs.items()}

    def _place(self, name: str) -> TensorLocation:
        return self._function.locations.get(name, TensorLocation(name))


def _is_tensor(value: Any) -> bool:
    return value is not None and not isinstance(value, np.ndarray) and hasattr(value, "op")


def to_float64(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with float64 in place of shorter floats."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    del result.graph.value_info[:]
    _widen_graph(result.graph)
    return result


def _widen_graph(graph: onnx.GraphProto) -> None:
    for value in (*graph.input, *graph.output):
        if value.type.tensor_type.elem_type in _FLOATS:
            value.type.tensor_type.elem_type = TensorProto.DOUBLE
    for tensor in graph.initializer:
        _widen_tensor(tensor)
    for node in graph.node:
        for item in node.attribute:
            if item.name in ("to", "dtype") and item.i in _FLOATS:
                item.i = TensorProto.DOUBLE
            if item.HasField("t"):
                _widen_tensor(item.t)
            if item.HasField("g"):
                _widen_graph(item.g)


def _widen_tensor(tensor: onnx.TensorProto) -> None:
    if tensor.data_type in _FLOATS:
        array = onnx.numpy_helper.to_array(tensor).astype(np.float64)
        tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
