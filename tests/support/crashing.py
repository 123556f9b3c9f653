"""Models that crash third-party native code or that it cannot run."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from convnet_core.config.stages import ConvertConfig
from convnet_core.convert.convert import convert
from convnet_core.convert.loaded_model import LoadedModel
from convnet_core.convert.signature import Signature
from convnet_core.convert.targets import tflite_worker
from convnet_core.events import Monitor
from tests.conftest import copy_of

FLOAT, INT64, INT32, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL


def model_of(nodes, inputs, outputs, weights=None, opset=17):
    """An ONNX model; inputs and outputs are (name, type, shape), weights arrays by name."""
    ports, results = ([helper.make_tensor_value_info(*item) for item in items] for items in (inputs, outputs))
    tensors = [numpy_helper.from_array(array, name) for name, array in (weights or {}).items()]
    graph = helper.make_graph(nodes, "model", ports, results, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)


def summing_loop():
    """Adds up its input until the sum of all values reaches a limit."""
    body = helper.make_graph(
        [
            helper.make_node("Add", ["state", "x"], ["next"]),
            helper.make_node("ReduceSum", ["next"], ["sum"], keepdims=0),
            helper.make_node("Less", ["sum", "limit"], ["again"]),
        ],
        "body",
        [helper.make_tensor_value_info(*item) for item in (("i", INT64, []), ("c", BOOL, []), ("state", FLOAT, [4]))],
        [helper.make_tensor_value_info(*item) for item in (("again", BOOL, []), ("next", FLOAT, [4]))],
    )
    return model_of(
        [helper.make_node("Loop", ["", "yes", "x"], ["y"], body=body)],
        [("x", FLOAT, [4])],
        [("y", FLOAT, [4])],
        {"limit": np.float32(20).reshape(()), "yes": np.array(True)},
    )


def masked(shape=("n", 6), classes=6):
    """Sets every second of the first `classes` values of a sample to -inf, which an int8 range cannot represent."""
    mask = np.arange(classes) % 2 == 0
    return model_of(
        [
            helper.make_node("Reshape", ["input", "flat"], ["row"]),
            helper.make_node("Slice", ["row", "start", "stop", "axis"], ["few"]),
            helper.make_node("Where", ["mask", "low", "few"], ["m"]),
            helper.make_node("Relu", ["m"], ["r"]),
            helper.make_node("Add", ["r", "m"], ["logits"]),
        ],
        [("input", FLOAT, list(shape))],
        [("logits", FLOAT, ["n", classes])],
        {
            "flat": np.array([0, -1]),
            "start": np.array([0]),
            "stop": np.array([classes]),
            "axis": np.array([1]),
            "mask": mask,
            "low": np.float32(-np.inf).reshape(()),
        },
    )


def box_suppression():
    """Non-maximum suppression on the boxes of one image."""
    return model_of(
        [helper.make_node("NonMaxSuppression", ["boxes", "scores", "most", "overlap"], ["kept"])],
        [("boxes", FLOAT, [1, 7, 4]), ("scores", FLOAT, [1, 2, 7])],
        [("kept", INT64, [None, 3])],
        {"most": np.array([4]), "overlap": np.float32([0.4])},
    )


def reverse_gru():
    """A reverse GRU over sequences of different lengths."""
    rng = np.random.default_rng(0)
    weights = {"w": rng.random((1, 9, 2), np.float32), "r": rng.random((1, 9, 3), np.float32)}
    return model_of(
        [helper.make_node("GRU", ["x", "w", "r", "", "lens"], ["y"], hidden_size=3, direction="reverse")],
        [("x", FLOAT, ["steps", 2, 2]), ("lens", INT32, [2])],
        [("y", FLOAT, ["steps", 1, 2, 3])],
        weights,
    )


def kernel_as_input():
    """A convolution with its kernel as an input."""
    return model_of(
        [helper.make_node("Conv", ["x", "w"], ["y"], kernel_shape=[3, 3], strides=[1, 2])],
        [("x", FLOAT, ["n", 2, 6, 6]), ("w", FLOAT, [4, 2, 3, 3])],
        [("y", FLOAT, ["n", 4, 4, 2])],
    )


def copy_crashing_run(finished_run, folder):
    """A copy of a run with an int8 file that loads but crashes the process that runs it."""
    model = masked(("n", 1, 28, 28), 10)
    convert(LoadedModel(model), folder, ConvertConfig(), {}, Monitor())
    images = {"input": np.random.default_rng(0).random((4, 1, 28, 28), np.float32)}
    content = tflite_worker.convert_saved_model(
        str(folder / "saved_model"), "int8", images, Signature.of(model), ConvertConfig()
    )
    run = copy_of(finished_run, folder)
    (run.path / "convert/native/model.int8.tflite").write_bytes(content)
    return run
