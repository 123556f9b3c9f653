"""Converting an ONNX file to a SavedModel parses the model once, reads it once and runs each pass once."""

from collections import Counter

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from convnet_core.cli.main import main
from convnet_core.convert.native import converter
from convnet_core.onnx_files import model_file


@pytest.fixture
def network(tmp_path):
    """An ONNX file with one convolution."""
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4, 6, 6])],
        [numpy_helper.from_array(np.ones((4, 3, 3, 3), np.float32), "w")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), tmp_path / "m.onnx")
    return tmp_path / "m.onnx"


@pytest.fixture
def calls(monkeypatch):
    """Counts how often a model is parsed, read and optimized."""
    counts = Counter()

    def count_calls(name, function):
        def call(*args):
            counts[name] += 1
            return function(*args)

        return call

    for owner, name in ((model_file, "parse"), (converter, "read"), (converter, "optimize")):
        monkeypatch.setattr(owner, name, count_calls(name, getattr(owner, name)))
    return counts


def test_an_upload_is_parsed_read_and_optimized_once_before_it_is_compared(network, calls, tmp_path, monkeypatch):
    compared = []
    monkeypatch.setattr("convnet_core.stages.compare.run_compare", lambda run, *_, **__: compared.append(run.path))
    run = tmp_path / "run"
    assert main(["upload", "--onnx", str(network), "--run", str(run), "--compare"]) == 0
    assert compared == [run]
    assert (run / "convert/native/saved_model").is_dir()
    assert calls == {"parse": 1, "read": 1, "optimize": 1}


def test_importing_and_converting_in_one_command_parses_the_model_once(network, calls, tmp_path):
    command = ["convert", "--onnx", str(network), "--only", "saved-model"]
    assert main([*command, "--run", str(tmp_path / "run")]) == 0
    assert calls == {"parse": 1, "read": 1, "optimize": 1}
