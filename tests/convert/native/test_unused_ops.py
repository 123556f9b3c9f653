"""The converted graph has no unused ops, such as sizes that TensorFlow computes itself."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from convnet_core.config.stages import PRESETS, ExportConfig
from convnet_core.convert.native import converter
from convnet_core.convert.signature import Signature
from convnet_core.convert.targets import saved_model
from convnet_core.export.onnx_export import export
from convnet_core.networks.convnet import build


def unused_ops(model):
    """The names of ops that no output depends on, except placeholders, which the signature needs."""
    function = converter.convert(converter.read(model))
    concrete = saved_model.trace(function, Signature.of(model, function.layouts))
    reached, pending = set(), [output.op for output in concrete.outputs]
    while pending:
        op = pending.pop()
        if op.name not in reached:
            reached.add(op.name)
            pending += [*(value.op for value in op.inputs), *op.control_inputs]
    kinds = ("Placeholder", "NoOp")  # a NoOp groups the variable reads for the caller
    return [op.name for op in concrete.graph.get_operations() if op.name not in reached and op.type not in kinds]


@pytest.mark.parametrize("preset", PRESETS)
def test_preset_networks_have_no_unused_ops(preset):
    assert unused_ops(export(build(PRESETS[preset].model, 0), ExportConfig()).model) == []


def _one_node(op, shape, inputs=(), **attributes):
    """A model of one operator on [n, *shape], with further inputs as constants."""
    names = [f"c{index}" for index in range(len(inputs))]
    nodes = [helper.make_node(op, ["x", *names], ["y"], **attributes)]
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", *shape])
    answer = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    constants = [numpy_helper.from_array(np.asarray(item), name) for item, name in zip(inputs, names, strict=True)]
    graph = helper.make_graph(nodes, "test", [value], [answer], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return onnx.shape_inference.infer_shapes(model)


@pytest.mark.parametrize(
    "model",
    [
        _one_node("Conv", (3, 8, 8), [np.ones((4, 3, 3, 3), np.float32)], pads=[1, 1, 1, 1], strides=[2, 2]),
        _one_node("MaxPool", (3, 8, 8), kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2]),
        _one_node("AveragePool", (3, 8), kernel_shape=[2]),
        _one_node("BatchNormalization", (3, 8, 8), [np.ones(3, np.float32)] * 4),
        _one_node("Flatten", (3, 8, 8)),
        _one_node("Transpose", (1, 8), perm=[0, 2, 1]),
        _one_node("Reshape", (3, 8), [np.int64([-1, 24])]),
        _one_node("Softmax", (3, 8)),
        _one_node("Pad", (3, 8), [np.int64([0, 0, 1, 0, 0, 1])], mode="reflect"),
    ],
    ids=lambda model: model.graph.node[0].op_type,
)
def test_operators_with_a_dynamic_batch_have_no_unused_ops(model):
    assert unused_ops(model) == []
