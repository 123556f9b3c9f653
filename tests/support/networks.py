"""Stand-ins for networks that people import."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def small_resnet() -> onnx.ModelProto:
    """A convolution, a residual block and a linear layer: image float32 [n, 3, 8, 8] → scores [n, 5]."""
    rng = np.random.default_rng(0)
    shapes = {"w1": (4, 3, 3, 3), "w2": (4, 4, 3, 3), "w3": (4, 4, 3, 3), "w4": (4, 5)}
    weights = [
        numpy_helper.from_array((0.4 * rng.standard_normal(shape)).astype(np.float32), name)
        for name, shape in shapes.items()
    ]
    nodes = [
        helper.make_node("Conv", ["image", "w1"], ["a"], "stem", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"], "stem_relu"),
        helper.make_node("Conv", ["b", "w2"], ["c"], "block_1", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["d"], "block_relu"),
        helper.make_node("Conv", ["d", "w3"], ["e"], "block_2", pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["e", "b"], ["f"], "skip"),
        helper.make_node("Relu", ["f"], ["g"], "out_relu"),
        helper.make_node("GlobalAveragePool", ["g"], ["h"], "pool"),
        helper.make_node("Flatten", ["h"], ["i"], "flatten"),
        helper.make_node("MatMul", ["i", "w4"], ["scores"], "head"),
    ]
    ports = [
        helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, 8, 8]),
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 5]),
    ]
    graph = helper.make_graph(nodes, "small resnet", ports[:1], ports[1:], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
