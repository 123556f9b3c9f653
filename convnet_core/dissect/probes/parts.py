"""Recompute values that a runtime does not expose because the node is only a part of one of its operators.

PyTorch's attention is eight ONNX nodes, and five ONNX nodes are one GELU in TensorFlow. The inner nodes run one at a
time in the runtime's arithmetic, so they can be compared like all others.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import onnx.helper
import onnx.numpy_helper

from convnet_core.common.tensorflow_import import import_tensorflow
from convnet_core.convert.native import converter
from convnet_core.errors import ConvNetError
from convnet_core.tensors.arrays import Array, Feeds

RunNode = Callable[[onnx.NodeProto, list[Array | None]], list[Array] | None]
"""Takes a node and its inputs (None for omitted ones); returns its outputs, or None if it cannot be run."""


class NodeRunner:
    """Runs single nodes of a model in a runtime's arithmetic."""

    def __init__(self, model: onnx.ModelProto, run: RunNode) -> None:
        self._model, self._run = model, run
        self._weights = {tensor.name: tensor for tensor in model.graph.initializer}
        self._makers = {name: node for node in model.graph.node for name in node.output if name}

    def complete(self, values: Feeds) -> Feeds:
        """The values, plus recomputed values of missing nodes, as far as their inputs are available."""
        result = dict(values)
        for node in self._model.graph.node:
            if not all(name in result for name in node.output if name):
                for name, array in self._compute(node, result).items():
                    result.setdefault(name, array)
        return result

    def alone(self, output: str, inputs: Feeds) -> Feeds | None:
        """Run the node that computes `output` on these inputs; None if it cannot be run."""
        node = self._makers.get(output)
        outputs = {} if node is None else self._compute(node, inputs)
        return outputs if output in outputs else None

    def _compute(self, node: onnx.NodeProto, values: Feeds) -> Feeds:
        inputs = [self._value(name, values) if name else None for name in node.input]
        if any(name and array is None for name, array in zip(node.input, inputs, strict=True)):
            return {}
        outputs = self._run(node, inputs) or []
        return {name: array for name, array in zip(node.output, outputs, strict=False) if name}

    def _value(self, name: str, values: Feeds) -> Array | None:
        if name in values:
            return values[name]
        return np.array(onnx.numpy_helper.to_array(self._weights[name])) if name in self._weights else None


def tensorflow_runner(model: onnx.ModelProto) -> RunNode:
    """A function that runs a node on constants with the native converter."""

    def run(node: onnx.NodeProto, inputs: list[Array | None]) -> list[Array] | None:
        names = [name for name in node.output if name]
        constants = [
            onnx.numpy_helper.from_array(array, name)
            for name, array in dict(zip(node.input, inputs, strict=True)).items()
            if array is not None
        ]
        outputs = [onnx.helper.make_empty_tensor_value_info(name) for name in names]
        graph = onnx.helper.make_graph([node], "part", [], outputs, constants)
        model_of_node = onnx.helper.make_model(
            graph, opset_imports=list(model.opset_import), ir_version=model.ir_version
        )
        import_tensorflow()
        try:
            values = converter.convert(converter.read(model_of_node))({})
        except ConvNetError:
            return None
        return [np.asarray(values[name]) for name in names]

    return run
