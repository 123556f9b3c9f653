"""Constants that float16 cannot hold are named, at conversion and where they spoil an answer."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto as T
from onnx import helper, numpy_helper

from convnet_core.config.stages import CompareConfig, ConvertConfig
from convnet_core.convert.float16 import lost_constants
from convnet_core.events import Message, Monitor
from convnet_core.runs.run import Run
from convnet_core.stages.compare import run_compare
from convnet_core.stages.convert import run_convert
from convnet_core.stages.import_onnx import run_import_onnx


class Ears(Monitor):
    """Keeps what it is told."""

    def __init__(self):
        self.told = []

    def emit(self, event):
        if isinstance(event, Message):
            self.told.append(event.text)


def model(nodes, weights):
    ports = [helper.make_tensor_value_info(name, T.FLOAT, ["n", 4]) for name in ("x", "y")]
    held = [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


@pytest.mark.parametrize(
    ("value", "said"),
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
def test_what_becomes_zero_or_the_largest_number(value, said):
    assert lost_constants(model([helper.make_node("Add", ["x", "c"], ["y"])], {"c": value})) == said


def test_constants_of_nodes_and_epsilons_count():
    nodes = [
        helper.make_node("Constant", [], ["tiny"], value=numpy_helper.from_array(np.float32(1e-10))),
        helper.make_node("Add", ["x", "tiny"], ["more"]),
        helper.make_node("LayerNormalization", ["more", "w"], ["y"], "norm", epsilon=1e-12),
    ]
    said = lost_constants(model(nodes, {"w": np.ones(4, np.float32)}))
    assert said == "the constant 'tiny' (1e-10) becomes 0; epsilon (1e-12) of LayerNormalization 'norm' becomes 0"


def test_it_is_said_at_conversion_and_in_the_row_that_it_spoils(tmp_path):
    nodes = [
        helper.make_node("ReduceL2", ["x", "axes"], ["length"]),
        helper.make_node("Add", ["length", "eps"], ["more"]),
        helper.make_node("Div", ["x", "more"], ["y"]),
    ]
    onnx.save(model(nodes, {"axes": np.int64([1]), "eps": np.float32(1e-10)}), tmp_path / "m.onnx")
    run, heard = Run.create(tmp_path / "run", kind="model"), Ears()
    run_import_onnx(run, tmp_path / "m.onnx", Monitor())
    run_convert(run, ConvertConfig(calibration_size=2), heard)
    assert "model.fp16.tflite stores float16: the constant 'eps' (1e-10) becomes 0" in heard.told
    comparison = run_compare(run, CompareConfig(samples=2, batch_sizes=(1,)), Monitor())
    lines = {line.name: line for line in comparison.runtimes}
    assert lines["litert-fp32"].passed
    assert "NaN or infinite, as in float16 the constant 'eps' (1e-10) becomes 0" in lines["litert-fp16"].reason
