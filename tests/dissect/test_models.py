"""Models from elsewhere, by the command: odd ones, hostile names, what a converter refuses."""

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
from tests.dissect.networks import onnx_tf_here
from tests.support.marks import few_quick


def model_of(nodes, inputs, outputs, weights=(), opset=18):
    ports = [
        [onnx.helper.make_tensor_value_info(name, *what) for name, what in side.items()] for side in (inputs, outputs)
    ]
    made = [onnx.helper.make_node(op, i.split(), o.split(), **more) for op, i, o, more in nodes]
    graph = onnx.helper.make_graph(made, "g", *ports, list(weights))
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=10)


def one(op, name, shape=("n", 3), opset=18):
    """A model of one node from a to y."""
    return model_of([(op, "a", "y", {"name": name})], {"a": (1, list(shape))}, {"y": (1, list(shape))}, opset=opset)


def dissected(model, folder, *flags, check=0):
    """What the command says of a model's file."""
    onnx.save(model, folder / "m.onnx")
    where = ("--onnx", folder / "m.onnx", "--run", folder / "run")
    return json.loads(convnet("dissect", *where, "--steps", 1, *flags, "--json", check=check).stdout)


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
    "no numbers": model_of([("Log", "a", "y", {})], {"a": (1, ["n", 3])}, {"y": (1, ["n", 3])}),
    "places": model_of(
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
    "chance": model_of(
        [("RandomUniformLike", "a", "r", {}), ("Add", "a r", "y", {})], {"a": (1, ["n", 3])}, {"y": (1, ["n", 3])}
    ),
}


@pytest.mark.parametrize("name", few_quick(ODD, "unnamed nodes", "a sequence"))
def test_odd_models_are_taken_apart(name, tmp_path):
    flags = ("--range", "a=-1,1", "--batch-sizes", "1,2" if name != "no batch" else "4")
    content = dissected(ODD[name], tmp_path, *flags)
    assert content["findings"] == []
    seen = {node["output"]: node["runtimes"] for node in content["nodes"]}
    if name == "unnamed nodes":
        assert [entry["name"] for entry in content["entries"]] == ["MatMul_0", "Add_1", "Relu_2"]
    if name == "two outputs of one node":
        assert {"p", "q", "y"} <= set(seen)
        assert all(item["whole"]["relative"] < 1e-6 for node in seen.values() for item in [node["tensorflow"]])
        assert seen["p"].get("litert-int8", {"whole": {"relative": 0}})["whole"]["relative"] < 0.05
    if name == "chance":
        assert seen == {}


def test_names_of_a_stranger_are_text_in_the_report(tmp_path):
    dissected(one("Relu", "<img src=x onerror=alert(1)>"), tmp_path)
    page = (tmp_path / "run/dissect/report.html").read_text()
    assert "&lt;img src=x" in page
    assert "<img" not in page


def test_a_model_that_a_converter_refuses_is_a_finding(tmp_path):
    onnx_tf_here()
    content = dissected(one("Gelu", "my_gelu", opset=20), tmp_path, "--converter", "onnx-tf", check=1)
    (finding,) = content["findings"]
    assert (finding["kind"], finding["node"]) == ("unsupported", "my_gelu")
    assert (
        "onnx-tf does not support Gelu-20 (node 'my_gelu'); the native converter supports the model" in finding["text"]
    )


def test_a_batch_that_the_model_declares_is_no_fault(tmp_path):
    content = dissected(one("Relu", "relu", shape=(2, 3, 4)), tmp_path)
    assert {item["batch"] for item in content["sweep"]} == {2}


def test_lessons_need_a_network_that_reads_digits(tmp_path):
    assert dissected(one("Relu", "relu"), tmp_path)["findings"] == []
    with pytest.raises(ConfigError, match="reads digits"):
        run_dissect(Run.open(tmp_path / "run"), DissectConfig(lesson="epsilon"), Monitor())


def test_a_weight_that_fp16_makes_whole_again_is_not_taken_for_a_value(tmp_path):
    """Its tensor bears the name of the convolution that takes it."""
    rng = np.random.default_rng(0)
    weights = {"k": (5, 3, 3, 3), "s": (5,), "b": (5,), "m": (5,), "v": (5,)}
    model = model_of(
        [("Conv", "a k", "c", {}), ("BatchNormalization", "c s b m v", "d", {}), ("Relu", "d", "y", {})],
        {"a": (1, ["n", 3, 8, 8])},
        {"y": (1, ["n", 5, 6, 6])},
        [onnx.numpy_helper.from_array(rng.random(shape, np.float32) + 0.5, name) for name, shape in weights.items()],
    )
    content = dissected(model, tmp_path, "--batch-sizes", "1,2")
    assert [node["shape_differs"] for node in content["nodes"]] == [{}, {}, {}]


def test_inputs_unlike_those_of_the_calibration_are_named(tmp_path):
    onnx.save(one("Relu", "relu"), tmp_path / "m.onnx")
    values = np.random.default_rng(0).random((64, 3), np.float32)
    np.savez(tmp_path / "calibration.npz", a=values)
    np.save(tmp_path / "raw.npy", values * np.float32(255))
    run = ("--run", tmp_path / "run")
    convnet("convert", "--onnx", tmp_path / "m.onnx", *run, "--calibration", tmp_path / "calibration.npz")
    content = json.loads(convnet("dissect", *run, "--steps", 1, "--json").stdout)
    assert content["findings"] == [], "drawn numbers say nothing of the data"
    raw = convnet("dissect", *run, "--steps", 1, "--input", f"a={tmp_path / 'raw.npy'}", "--json", check=1)
    (finding,) = json.loads(raw.stdout)["findings"]
    assert finding["kind"] == "data"
    assert "The inputs go from" in finding["text"]
    assert "int8 was calibrated on" in finding["text"]
