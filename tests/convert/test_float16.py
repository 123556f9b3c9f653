"""Constants outside float16's range are named by conversion, and by the comparison that fails because of them."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto as T
from onnx import helper, numpy_helper

from convnet_core.config.stages import CompareConfig, ConvertConfig
from convnet_core.convert.float16 import lost_constants
from convnet_core.events import Message, Monitor
from convnet_core.onnx_files.model_file import open_file
from convnet_core.runs.run import Run
from convnet_core.stages.compare import run_compare
from convnet_core.stages.convert import run_convert
from convnet_core.stages.import_onnx import run_import_onnx


class MessageRecorder(Monitor):
    """Records the text of each message."""

    def __init__(self):
        self.texts = []

    def emit(self, event):
        if isinstance(event, Message):
            self.texts.append(event.text)


def model(nodes, weights):
    ports = [helper.make_tensor_value_info(name, T.FLOAT, ["n", 4]) for name in ("x", "y")]
    initializers = [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.float32(1e-10), "the constant 'c' (1e-10) becomes 0"),
        (np.full(4, -1e-9, np.float32), "the constant 'c' (-1e-09) becomes 0"),
        (np.float32([1e6, 1, 2, 3]), "the constant 'c' (1e+06) becomes 65504"),
        (np.float32([-1e9, 0, 0, 0]), "the constant 'c' (-1e+09) becomes -65504"),
        (np.float32([1e-10, 1, 2, 3]), ""),
        (np.float32([0, 0, 0, -np.inf]), ""),
        (np.float32(1e-7), ""),
    ],
)
def test_initializers_that_become_zero_or_the_largest_float16(value, message):
    assert lost_constants(model([helper.make_node("Add", ["x", "c"], ["y"])], {"c": value})) == message


def test_constant_nodes_and_epsilons_are_checked_too():
    nodes = [
        helper.make_node("Constant", [], ["tiny"], value=numpy_helper.from_array(np.float32(1e-10))),
        helper.make_node("Add", ["x", "tiny"], ["more"]),
        helper.make_node("LayerNormalization", ["more", "w"], ["y"], "norm", epsilon=1e-12),
    ]
    message = lost_constants(model(nodes, {"w": np.ones(4, np.float32)}))
    assert message == "the constant 'tiny' (1e-10) becomes 0; epsilon (1e-12) of LayerNormalization 'norm' becomes 0"


def test_conversion_warns_and_the_failing_row_names_the_constant(tmp_path):
    nodes = [
        helper.make_node("ReduceL2", ["x", "axes"], ["length"]),
        helper.make_node("Add", ["length", "eps"], ["more"]),
        helper.make_node("Div", ["x", "more"], ["y"]),
    ]
    onnx.save(model(nodes, {"axes": np.int64([1]), "eps": np.float32(1e-10)}), tmp_path / "m.onnx")
    run, recorder = Run.create(tmp_path / "run", kind="model"), MessageRecorder()
    run_import_onnx(run, open_file(tmp_path / "m.onnx"), Monitor())
    run_convert(run, ConvertConfig(calibration_size=2), recorder)
    assert "model.fp16.tflite stores float16: the constant 'eps' (1e-10) becomes 0" in recorder.texts
    comparison = run_compare(run, CompareConfig(samples=2, batch_sizes=(1,)), Monitor())
    lines = {line.name: line for line in comparison.runtimes}
    assert lines["litert-fp32"].passed
    assert "NaN or infinite, as in float16 the constant 'eps' (1e-10) becomes 0" in lines["litert-fp16"].reason
