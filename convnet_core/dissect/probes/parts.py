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

from convnet_core.common.tensorflow_import import import_tensorflow
from convnet_core.convert.native import converter
from convnet_core.errors import ConvNetError
from convnet_core.tensors.arrays import Array, Feeds

RunNode = Callable[[onnx.NodeProto, list[Array | None]], list[Array] | None]
"""A node and its inputs, None where one is left out; its outputs, or None where it cannot be run."""


class NodeRunner:
    """The nodes of a model, each run by itself in a runtime's arithmetic."""

    def __init__(self, model: onnx.ModelProto, run: RunNode) -> None:
        self._model, self._run = model, run
        self._weights = {tensor.name: tensor for tensor in model.graph.initializer}
        self._makers = {name: node for node in model.graph.node for name in node.output if name}

    def completed(self, values: Feeds) -> Feeds:
        """The values, and those of nodes that are missing among them, as far as their inputs are there."""
        found = dict(values)
        for node in self._model.graph.node:
            if not all(name in found for name in node.output if name):
                for name, array in self._made(node, found).items():
                    found.setdefault(name, array)
        return found

    def alone(self, output: str, inputs: Feeds) -> Feeds | None:
        """What the node that makes a value makes of these inputs; None where it cannot be run."""
        node = self._makers.get(output)
        made = {} if node is None else self._made(node, inputs)
        return made if output in made else None

    def _made(self, node: onnx.NodeProto, values: Feeds) -> Feeds:
        inputs = [self._known(name, values) if name else None for name in node.input]
        if any(name and array is None for name, array in zip(node.input, inputs, strict=True)):
            return {}
        made = self._run(node, inputs) or []
        return {name: array for name, array in zip(node.output, made, strict=False) if name}

    def _known(self, name: str, values: Feeds) -> Array | None:
        if name in values:
            return values[name]
        return np.array(onnx.numpy_helper.to_array(self._weights[name])) if name in self._weights else None


def tensorflow_runner(model: onnx.ModelProto) -> RunNode:
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
            made = converter.convert(alone)({})
        except ConvNetError:
            return None
        return [np.asarray(made[name]) for name in names]

    return run
