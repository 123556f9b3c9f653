"""ONNX shape inference that also supports models over protobuf's limit and com.microsoft operators."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import onnx
import onnx.helper
import onnx.shape_inference

from convnet_core.onnx_files import contrib
from convnet_core.onnx_files.functions import graphs_of

_SMALL_WEIGHT = 1024
"""Weights of up to this many elements stay in the model, because shape inference reads Reshape targets and similar."""

GENERATED_PREFIX = "unk__"
"""Prefix of the names that ONNX's shape inference generates for unknown dimensions."""


def without_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy with large weights turned into inputs, small enough to serialize for shape inference."""
    light = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import, functions=model.functions)
    graph, declared = light.graph, {value.name for value in model.graph.input}
    graph.name = model.graph.name
    for name in ("node", "input", "output", "value_info", "sparse_initializer"):
        getattr(graph, name).extend(getattr(model.graph, name))
    for tensor in model.graph.initializer:
        if math.prod(tensor.dims) <= _SMALL_WEIGHT:
            graph.initializer.append(tensor)
        elif tensor.name not in declared:
            graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    return light


def infer(light: onnx.ModelProto, *, strict: bool = False) -> onnx.ModelProto:
    """The model with all types and shapes that ONNX can infer.

    Raises onnx.shape_inference.InferenceError if declared shapes contradict; with `strict`, also for errors in nodes.
    """
    with contrib.use_schemas(light):
        return onnx.shape_inference.infer_shapes(light, strict_mode=strict, data_prop=True)


def graphs_inside(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.GraphProto]:
    """All subgraphs of nodes, at any depth."""
    for node in nodes:
        for graph in graphs_of(node):
            yield graph
            yield from graphs_inside(graph.node)
