"""What a box of a graph says."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from convnet_core.graphs.boxes import diagram_of
from tests.graphs.models import graph_of, model_of


def test_a_box_says_what_matters():
    weight = numpy_helper.from_array(np.ones((4, 3, 7, 7), np.float32), "conv1.weight")
    options = {"kernel_shape": [7, 7], "strides": [2, 2], "dilations": [1, 1], "pads": [3, 3, 3, 3], "group": 1}
    node = helper.make_node("Conv", ["x", "conv1.weight"], ["y"], **options)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, 224, 224])
    diagram = diagram_of(graph_of(model_of([node], [x], ["y"], [weight])))
    assert diagram.boxes[1].lines == ("weight 4×3×7×7", "kernel_shape 7×7", "pads 3, 3, 3, 3", "strides 2×2")
    assert [link.label for link in diagram.links] == ["batch×3×224×224", "batch×4×112×112"]


def test_a_box_says_the_values_of_settings_and_calls_weights_as_the_operator_does():
    weights = {
        "shape": np.array([-1, 1_048_576]),
        "val_3": np.float32(0.5),
        "onnx::Mul_7": np.ones(8, np.float32),
        "net.fc.bias": np.ones(8, np.float32),
    }
    nodes = [
        helper.make_node("Reshape", ["x", "shape"], ["a"]),
        helper.make_node("Clip", ["a", "", "val_3"], ["b"]),
        helper.make_node("Mul", ["b", "onnx::Mul_7"], ["c"]),
        helper.make_node("Add", ["c", "net.fc.bias"], ["y"]),
    ]
    stored = [numpy_helper.from_array(values, name) for name, values in weights.items()]
    boxes = diagram_of(graph_of(model_of(nodes, ["x"], ["y"], stored))).boxes
    assert [box.lines for box in boxes[1:-1]] == [("shape -1, 1048576",), ("max 0.5",), ("B 8",), ("bias 8",)]


def test_a_box_with_a_subgraph_says_how_large_it_is():
    branch = helper.make_graph(
        [helper.make_node("Abs", ["x"], ["z"])], "g", [], [helper.make_tensor_value_info("z", 1, None)]
    )
    condition = helper.make_tensor_value_info("c", TensorProto.BOOL, [])
    node = helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)
    diagram = diagram_of(graph_of(model_of([node], ["x", condition], ["y"])))
    assert diagram.boxes[2].lines == ("else_branch graph with 1 node", "then_branch graph with 1 node")
    assert [(link.source, link.target) for link in diagram.links] == [("c", "If"), ("x", "If"), ("If", "y")]
