"""Imported models on the command line: an ONNX file through convert, compare and benchmark."""

import argparse
import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from convnet_core.cli.resolve import input_spec
from convnet_core.errors import ConfigError
from convnet_core.jobs.overview import overview
from convnet_core.runs.run import Run
from tests.conftest import convnet, python
from tests.pages.conftest import no_pages_directory, open_page, root, text_of  # noqa: F401


@pytest.fixture
def model(tmp_path):
    """A table lookup plus a second input, with two outputs and input names that TensorFlow refuses."""
    table = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)
    nodes = [
        helper.make_node("Gather", ["table", "word ids"], ["rows"], "look up"),
        helper.make_node("Add", ["rows", "bias.1"], ["sum"], "add"),
        helper.make_node("ReduceMax", ["sum", "axis"], ["most"], "most", keepdims=0),
    ]
    inputs = [
        helper.make_tensor_value_info("word ids", TensorProto.INT64, ["n", 3]),
        helper.make_tensor_value_info("bias.1", TensorProto.FLOAT, ["n", 3, 4]),
    ]
    outputs = [
        helper.make_tensor_value_info("sum", TensorProto.FLOAT, ["n", 3, 4]),
        helper.make_tensor_value_info("most", TensorProto.FLOAT, ["n", 3]),
    ]
    weights = [numpy_helper.from_array(table, "table"), numpy_helper.from_array(np.array([2]), "axis")]
    graph = helper.make_graph(nodes, "lookup", inputs, outputs, weights)
    path = tmp_path / "lookup.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    return path


def test_convert_and_compare_accept_any_onnx_file(model, tmp_path, root, monkeypatch):  # noqa: F811
    run = root / "lookup"
    convnet("convert", "--onnx", model, "--run", run, "--range", "word ids=0,5", "--calibration-size", 8)
    code = f"""
import numpy as np, tensorflow as tf
f = tf.saved_model.load({str(run / "convert/native/saved_model")!r}).signatures["serving_default"]
outputs = f(word_ids=tf.constant(np.array([[0, 5, 2]])), bias_1=tf.zeros((1, 3, 4)))
print(outputs["most"].numpy().tolist())
"""
    table = numpy_helper.to_array(onnx.load(model).graph.initializer[0])
    largest = json.loads(python(code).stdout.splitlines()[-1])
    np.testing.assert_allclose(largest, [table[[0, 5, 2]].max(axis=1).tolist()], rtol=1e-6)

    np.save(tmp_path / "ids.npy", np.array([[5, 4, 3], [0, 0, 1]]))
    done = convnet("compare", "--run", run, "--input", f"word ids={tmp_path / 'ids.npy'}", "--json")
    report = json.loads(done.stdout)
    assert report["verdict"] == "agree"
    assert report["reference"] == "onnxruntime"
    assert {line["samples"] for line in report["results"]} == {2}
    lines = {line["name"]: line for line in report["runtimes"]}
    assert lines["tensorflow"]["judged"]
    assert not lines["litert-fp16"]["judged"]
    assert Run.open(run).info["kind"] == "model"
    judged = sum(line["judged"] for line in report["runtimes"])
    assert overview(Run.open(run)).stages["compare"].detail == f"{judged} runtimes agree"
    assert "not judged" in set(open_page("compare").dataframe[0].value["Verdict"])
    assert "needs a network that reads digits" in text_of(open_page("sketchpad"))


def test_convert_check_lists_all_unsupported_nodes(tmp_path):
    nodes = [
        helper.make_node("Foo", ["x"], ["y"], "first", domain="strange"),
        helper.make_node("Bar", ["y"], ["z"], "second", domain="strange"),
    ]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3]) for name in ("x", "z")]
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("strange", 1)]
    model = helper.make_model(helper.make_graph(nodes, "g", ports[:1], ports[1:]), opset_imports=opsets, ir_version=10)
    onnx.save(model, tmp_path / "strange.onnx")
    done = convnet("convert", "--check", "--onnx", tmp_path / "strange.onnx", check=2)
    assert "strange.Foo-1 (node 'first')" in done.stdout
    assert "strange.Bar-1 (node 'second')" in done.stdout


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--shape", "nothing=1,3"], "no input 'nothing'"),
        (["--shape", "bias.1=2,9,4"], "does not fit"),
        (["--range", "word ids=5"], "lowest and the highest"),
        (["--input", "word ids"], "NAME=VALUE"),
        (["--input", "word ids=nowhere.npy"], "cannot be read"),
    ],
)
def test_invalid_input_flags_give_one_clear_line(model, tmp_path, flags, message):
    done = convnet("convert", "--onnx", model, "--run", tmp_path / "run", *flags, check=2)
    assert message in done.stderr.splitlines()[-2] + done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("flag", "text"),
    [("shape", "1,-7"), ("shape", "1,2.5"), ("shape", "1,"), ("range", "nan,1"), ("range", "-inf,1"), ("range", "2,1")],
)
def test_impossible_sizes_and_ranges_are_refused(flag, text):
    flags = {"input": [], "shape": [], "range": []} | {flag: [f"ids={text}"]}
    with pytest.raises(ConfigError, match=f"--{flag} takes .* not '{text}'"):
        input_spec(argparse.Namespace(**flags))


@pytest.mark.slow
def test_benchmark_converts_an_onnx_file_first(model, tmp_path):
    quick = ("--batch-sizes", 1, "--seconds", 0.01, "--warmup", 0)
    done = convnet("benchmark", "--onnx", model, "--run", tmp_path / "run", *quick, "--json")
    speeds = {speed["name"]: speed for speed in json.loads(done.stdout)["runtimes"]}
    assert {"onnxruntime", "tensorflow", "tensorflow-frozen", "litert-fp32"} <= set(speeds)
    assert all(speeds[name]["timings"][0]["median_ms"] for name in ("onnxruntime", "tensorflow", "litert-fp32"))


def test_an_imported_model_never_overwrites_a_trained_run(model, tmp_path):
    run = Run.create(tmp_path / "digits")
    done = convnet("benchmark", "--onnx", model, "--run", run.path, check=2)
    assert "has a network that reads digits" in done.stderr
    assert run.record("export") is None
    done = convnet("convert", "--onnx", tmp_path / "gone.onnx", "--run", tmp_path / "new", check=2)
    assert "no such file" in done.stderr
    assert not (tmp_path / "new").exists()
