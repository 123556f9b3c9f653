"""Shape inference of ONNX, also for models too large for protobuf and for the operators of com.microsoft."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import onnx
import onnx.helper
import onnx.shape_inference

from convnet_core.onnx_files import contrib
from convnet_core.onnx_files.functions import graphs_of

_SMALL = 1024
"""Values; a weight up to this size is shown to shape inference, which reads the targets of Reshape and the like."""

GENERATED_PREFIX = "unk__"
"""How the names begin that ONNX's shape inference makes up for dimensions of which it knows nothing."""


def without_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """A model in which large weights are inputs: small enough for inference, which wants the model as bytes."""
    light = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import, functions=model.functions)
    graph, declared = light.graph, {value.name for value in model.graph.input}
    graph.name = model.graph.name
    for name in ("node", "input", "output", "value_info", "sparse_initializer"):
        getattr(graph, name).extend(getattr(model.graph, name))
    for tensor in model.graph.initializer:
        if math.prod(tensor.dims) <= _SMALL:
            graph.initializer.append(tensor)
        elif tensor.name not in declared:
            graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    return light


def infer(light: onnx.ModelProto, *, strict: bool = False) -> onnx.ModelProto:
    """The model with the types and shapes of all tensors that ONNX can tell.

    Raises onnx.shape_inference.InferenceError where it contradicts itself: `strict` also where a node does.
    """
    with contrib.use_schemas(light):
        return onnx.shape_inference.infer_shapes(light, strict_mode=strict, data_prop=True)


def graphs_inside(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.GraphProto]:
    """The graphs in the attributes of nodes, and those inside them."""
    for node in nodes:
        for graph in graphs_of(node):
            yield graph
            yield from graphs_inside(graph.node)
