"""Imported models through the command: unusual models, hostile names, unsupported operators."""

import json

import numpy as np
import onnx
import onnx.helper
import onnx.numpy_helper
import pytest

from convnet_core.config.stages import DissectConfig
from convnet_core.errors import ConfigError
from convnet_core.events import Monitor
from convnet_core.runs.run import Run
from convnet_core.stages.dissect import run_dissect
from tests.conftest import convnet
from tests.dissect.networks import require_onnx_tf
from tests.support.marks import few_quick


def model_of(nodes, inputs, outputs, weights=(), opset=18):
    ports = [
        [onnx.helper.make_tensor_value_info(name, *info) for name, info in side.items()] for side in (inputs, outputs)
    ]
    protos = [onnx.helper.make_node(op, i.split(), o.split(), **more) for op, i, o, more in nodes]
    graph = onnx.helper.make_graph(protos, "g", *ports, list(weights))
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=10)


def one_node_model(op, name, shape=("n", 3), opset=18):
    """A model with one node from a to y."""
    return model_of([(op, "a", "y", {"name": name})], {"a": (1, list(shape))}, {"y": (1, list(shape))}, opset=opset)


def dissect_model(model, folder, *flags, check=0):
    """Save a model, run the command on it and return its JSON."""
    onnx.save(model, folder / "m.onnx")
    paths = ("--onnx", folder / "m.onnx", "--run", folder / "run")
    return json.loads(convnet("dissect", *paths, "--steps", 1, *flags, "--json", check=check).stdout)


ODD = {
    "unnamed nodes": model_of(
        [("MatMul", "a w", "m", {}), ("Add", "m m", "s", {}), ("Relu", "s", "y", {})],
        {"a": (1, ["n", 3])},
        {"y": (1, ["n", 3])},
        [onnx.numpy_helper.from_array(np.eye(3, dtype=np.float32) * 2, "w")],
    ),
    "two outputs of one node": model_of(
        [("Split", "a", "p q", {"axis": 1, "num_outputs": 2}), ("Sub", "p q", "y", {})],
        {"a": (1, ["n", 4])},
        {"y": (1, ["n", 2])},
    ),
    "no batch": model_of([("Relu", "a", "y", {})], {"a": (1, [4])}, {"y": (1, [4])}),
    "a scalar": model_of([("ReduceMax", "a", "y", {"keepdims": 0})], {"a": (1, ["n", 4])}, {"y": (1, [])}),
    "NaN": model_of([("Log", "a", "y", {})], {"a": (1, ["n", 3])}, {"y": (1, ["n", 3])}),
    "indices": model_of(
        [("TopK", "a k", "v i", {}), ("Relu", "v", "y", {})],
        {"a": (1, ["n", 5])},
        {"i": (7, ["n", 2]), "y": (1, ["n", 2])},
        [onnx.numpy_helper.from_array(np.array([2]), "k")],
    ),
    "a sequence": model_of(
        [("SequenceConstruct", "a a", "s", {}), ("ConcatFromSequence", "s", "y", {"axis": 1})],
        {"a": (1, ["n", 2])},
        {"y": (1, ["n", 4])},
    ),
    "random": model_of(
        [("RandomUniformLike", "a", "r", {}), ("Add", "a r", "y", {})], {"a": (1, ["n", 3])}, {"y": (1, ["n", 3])}
    ),
}


@pytest.mark.parametrize("name", few_quick(ODD, "unnamed nodes", "a sequence"))
def test_unusual_models_are_dissected(name, tmp_path):
    flags = ("--range", "a=-1,1", "--batch-sizes", "1,2" if name != "no batch" else "4")
    content = dissect_model(ODD[name], tmp_path, *flags)
    assert content["findings"] == []
    results = {node["output"]: node["runtimes"] for node in content["nodes"]}
    if name == "unnamed nodes":
        assert [entry["name"] for entry in content["entries"]] == ["MatMul_0", "Add_1", "Relu_2"]
    if name == "two outputs of one node":
        assert {"p", "q", "y"} <= set(results)
        assert all(item["whole"]["relative"] < 1e-6 for node in results.values() for item in [node["tensorflow"]])
        assert results["p"].get("litert-int8", {"whole": {"relative": 0}})["whole"]["relative"] < 0.05
    if name == "random":
        assert results == {}


def test_hostile_names_are_escaped_in_the_report(tmp_path):
    dissect_model(one_node_model("Relu", "<img src=x onerror=alert(1)>"), tmp_path)
    page = (tmp_path / "run/dissect/report.html").read_text()
    assert "&lt;img src=x" in page
    assert "<img" not in page


def test_a_model_that_a_converter_refuses_is_a_finding(tmp_path):
    require_onnx_tf()
    content = dissect_model(one_node_model("Gelu", "my_gelu", opset=20), tmp_path, "--converter", "onnx-tf", check=1)
    (finding,) = content["findings"]
    assert (finding["kind"], finding["node"]) == ("unsupported", "my_gelu")
    assert (
        "onnx-tf does not support Gelu-20 (node 'my_gelu'); the native converter supports the model" in finding["text"]
    )


def test_a_declared_fixed_batch_is_not_a_fault(tmp_path):
    content = dissect_model(one_node_model("Relu", "relu", shape=(2, 3, 4)), tmp_path)
    assert {item["batch"] for item in content["sweep"]} == {2}


def test_lessons_need_a_digit_network(tmp_path):
    assert dissect_model(one_node_model("Relu", "relu"), tmp_path)["findings"] == []
    with pytest.raises(ConfigError, match="reads digits"):
        run_dissect(Run.open(tmp_path / "run"), DissectConfig(lesson="epsilon"), Monitor())


def test_a_dequantized_fp16_weight_is_not_taken_for_a_node_value(tmp_path):
    """Its tensor has the name of the convolution that uses it."""
    rng = np.random.default_rng(0)
    weights = {"k": (5, 3, 3, 3), "s": (5,), "b": (5,), "m": (5,), "v": (5,)}
    model = model_of(
        [("Conv", "a k", "c", {}), ("BatchNormalization", "c s b m v", "d", {}), ("Relu", "d", "y", {})],
        {"a": (1, ["n", 3, 8, 8])},
        {"y": (1, ["n", 5, 6, 6])},
        [onnx.numpy_helper.from_array(rng.random(shape, np.float32) + 0.5, name) for name, shape in weights.items()],
    )
    content = dissect_model(model, tmp_path, "--batch-sizes", "1,2")
    assert [node["shape_differs"] for node in content["nodes"]] == [{}, {}, {}]


def test_inputs_unlike_the_calibration_data_are_a_finding(tmp_path):
    onnx.save(one_node_model("Relu", "relu"), tmp_path / "m.onnx")
    values = np.random.default_rng(0).random((64, 3), np.float32)
    np.savez(tmp_path / "calibration.npz", a=values)
    np.save(tmp_path / "raw.npy", values * np.float32(255))
    run = ("--run", tmp_path / "run")
    convnet("convert", "--onnx", tmp_path / "m.onnx", *run, "--calibration", tmp_path / "calibration.npz")
    content = json.loads(convnet("dissect", *run, "--steps", 1, "--json").stdout)
    assert content["findings"] == [], "random inputs are no evidence about the data"
    raw = convnet("dissect", *run, "--steps", 1, "--input", f"a={tmp_path / 'raw.npy'}", "--json", check=1)
    (finding,) = json.loads(raw.stdout)["findings"]
    assert finding["kind"] == "data"
    assert "The inputs go from" in finding["text"]
    assert "int8 was calibrated on" in finding["text"]
