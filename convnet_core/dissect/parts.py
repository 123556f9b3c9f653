"""Values that a runtime does not have, because a node is only a part of an operator there, remade from those it has.

PyTorch's attention is eight ONNX nodes, and five ONNX nodes are one GELU in TensorFlow. The nodes inside are run one by
one in the runtime's own arithmetic, so that they can be compared like all others.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import onnx.helper
import onnx.numpy_helper

from convnet_core.convert import native
from convnet_core.errors import ConvNetError
from convnet_core.tensorflow_setup import import_tensorflow
from convnet_core.tensors import Array, Feeds

Run = Callable[[onnx.NodeProto, list[Array | None]], list[Array] | None]
"""A node and its inputs, None where one is left out; its outputs, or None where it cannot be run."""


def completed(model: onnx.ModelProto, values: Feeds, run: Run) -> Feeds:
    """The values, and those of nodes that are missing among them, as far as their inputs are there."""
    found = dict(values)
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if all(name in found for name in node.output if name):
            continue
        inputs = [_known(name, found, weights) if name else None for name in node.input]
        if any(name and array is None for name, array in zip(node.input, inputs, strict=True)):
            continue
        made = run(node, inputs)
        for name, array in zip(node.output, made or [], strict=False):
            if name:
                found.setdefault(name, array)
    return found


def _known(name: str, values: Feeds, weights: dict[str, onnx.TensorProto]) -> Array | None:
    if name in values:
        return values[name]
    return np.array(onnx.numpy_helper.to_array(weights[name])) if name in weights else None


def in_tensorflow(model: onnx.ModelProto) -> Run:
    """Runs a node by the project's own converter, on constants."""

    def run(node: onnx.NodeProto, inputs: list[Array | None]) -> list[Array] | None:
        names = [name for name in node.output if name]
        constants = [
            onnx.numpy_helper.from_array(array, name)
            for name, array in dict(zip(node.input, inputs, strict=True)).items()
            if array is not None
        ]
        outputs = [onnx.helper.make_empty_tensor_value_info(name) for name in names]
        graph = onnx.helper.make_graph([node], "part", [], outputs, constants)
        alone = onnx.helper.make_model(graph, opset_imports=list(model.opset_import), ir_version=model.ir_version)
        import_tensorflow()
        try:
            made = native.convert(alone)({})
        except ConvNetError:
            return None
        return [np.asarray(made[name]) for name in names]

    return run
