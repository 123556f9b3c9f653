"""Eight realistic faults, each with its finding, and no findings if nothing is wrong."""

import dataclasses
import json

import numpy as np
import onnx
import onnx.numpy_helper
import pytest

from convnet_core.common.files import read_json
from convnet_core.config.stages import CompareConfig, ConvertConfig, DissectConfig, ExportConfig
from convnet_core.dissect.case import InputStatistics
from convnet_core.dissect.dissection import dissect
from convnet_core.dissect.lessons import LESSONS
from convnet_core.events import Monitor
from convnet_core.stages.compare import run_compare
from convnet_core.stages.convert import run_convert
from convnet_core.stages.dissect import run_dissect
from convnet_core.stages.export import run_export
from tests.conftest import convnet, copy_of
from tests.dissect.networks import case, networks, require_onnx_tf
from tests.support import crashing
from tests.support.marks import few_quick

QUICK = DissectConfig(steps=3, batch_sizes=(1, 2, 7))


def silent(label, done, total):
    pass


@pytest.fixture(scope="module")
def run(finished_run, tmp_path_factory):
    return copy_of(finished_run, tmp_path_factory.mktemp("dissected"))


@pytest.mark.parametrize("name", few_quick(networks(), "convnet"))
def test_a_correct_conversion_has_no_findings(name, tmp_path):
    dissection = dissect(case(name, tmp_path / name), QUICK, silent)
    assert [item.text for item in dissection.findings] == []
    numeric = {node.output for node in dissection.nodes}
    for runtime in ("pytorch", "tensorflow"):
        assert {node.output for node in dissection.nodes if runtime in node.runtimes} == numeric
    assert all(node.noise < 1e-5 for node in dissection.nodes)
    assert all(error.own is not None for node in dissection.nodes for error in node.runtimes.values())


@pytest.mark.parametrize("name", few_quick(["convnet", "deep"], "convnet"))
def test_a_correct_onnx_tf_conversion_has_no_findings(name, tmp_path):
    require_onnx_tf()
    dissection = dissect(case(name, tmp_path, ConvertConfig(converter="onnx-tf")), QUICK, silent)
    assert [item.text for item in dissection.findings] == []
    ops = {node.op for node in dissection.nodes if "litert-fp32" in node.runtimes}
    assert {"Relu", "Gemm"} <= ops  # channels first in TensorFlow, last in LiteRT
    assert not any(node.shape_differs for node in dissection.nodes)


EXPECTED_TEXT = {
    "train-mode": "training mode, at node",
    "flatten-order": "transpose by (1, 2, 0)",
    "epsilon": "epsilon of 5e-02",
    "transposed": "transpose by (0, 1, 3, 2) fits",
    "int8-noise": "Only the int8 file fails",
    "not-scaled": "The inputs go from 0 to 255, and the network was trained on 0 to 1",
    "frozen-batch": "the first size of [1, 12544]",
    "opset": "at opset 18 onnx-tf supports all its operators",
}


@pytest.mark.parametrize("converter", few_quick(["native", "onnx-tf"], "native"))
@pytest.mark.parametrize("lesson", few_quick(LESSONS, "flatten-order", "opset"))
def test_each_fault_has_exactly_its_finding(run, lesson, converter):
    if lesson == "opset" or converter == "onnx-tf":
        require_onnx_tf()
    if run.record(f"convert/{converter}") is None:
        run_convert(run, ConvertConfig(converter=converter), Monitor())
    config = DissectConfig(lesson=lesson, converter=converter, steps=2, images=300)
    findings = run_dissect(run, config, Monitor())
    assert [item.kind for item in findings] == [LESSONS[lesson][1]], [item.text for item in findings]
    (finding,) = findings
    special = (lesson, converter) == ("flatten-order", "onnx-tf")
    text = "transpose by (2, 0, 1)" if special else EXPECTED_TEXT[lesson]
    assert text in f"{finding.text} {finding.mend}"
    if lesson == "opset":
        assert finding.node == "node_Reshape_16"
        assert "onnx-tf does not support Reshape-19" in finding.text
        assert "onnx.version_converter.convert_version(model, 18) for an imported model" in finding.mend


@pytest.mark.slow
def test_a_batch_frozen_in_a_constant_node_is_found(run):
    """Without folded BatchNorms, the exporter puts the shape of a Reshape into a Constant node."""
    unfused = copy_of(run, run.path.parent / "unfused")
    run_export(unfused, ExportConfig(fuse_batchnorm=False), Monitor())
    run_convert(unfused, ConvertConfig(), Monitor())
    config = DissectConfig(lesson="frozen-batch", steps=1, images=50)
    assert [item.kind for item in run_dissect(unfused, config, Monitor())] == ["frozen-batch"]


def test_inverted_images_are_a_data_finding(tmp_path):
    healthy = case("convnet", tmp_path)
    images = np.random.default_rng(0).random((64, 1, 28, 28), np.float32) ** 8  # mostly dark, as digits are
    learned = InputStatistics.of(images, 0.95)
    (name,) = healthy.samples
    right = dataclasses.replace(healthy, many={name: images}, labels=np.zeros(64, np.int64), learned=learned)
    assert "data" not in {item.kind for item in dissect(right, QUICK, silent).findings}
    findings = dissect(dataclasses.replace(right, many={name: 1 - images}), QUICK, silent).findings
    assert [item.kind for item in findings] == ["data"]
    assert "mean of 0.89, and the network was trained on a mean of 0.11" in findings[0].text
    findings = dissect(dataclasses.replace(right, many={name: images / np.float32(255)}), QUICK, silent).findings
    assert [item.kind for item in findings] == ["data"]
    assert "divided twice" in findings[0].mend


def with_epsilon(value):
    def change(model):
        other = onnx.ModelProto()
        other.CopyFrom(model)
        norm = next(node for node in other.graph.node if node.op_type == "BatchNormalization")
        next(item for item in norm.attribute if item.name == "epsilon").f = value
        return other

    return change


def test_a_batch_norm_folded_by_tflite_is_checked_with_the_formula(tmp_path):
    dissection = dissect(case("convnet", tmp_path, export_config=ExportConfig(fuse_batchnorm=False)), QUICK, silent)
    (folded,) = dissection.fusions
    assert (folded.where, folded.epsilon) == ("LiteRT", pytest.approx(1e-5))
    assert folded.error < 1e-6


def test_a_wrong_epsilon_in_an_unfolded_batch_norm_is_found_at_its_node(tmp_path):
    spoiled = case("convnet", tmp_path, export_config=ExportConfig(fuse_batchnorm=False), change=with_epsilon(0.03))
    dissection = dissect(spoiled, QUICK, silent)
    (finding,) = dissection.findings
    assert finding.kind == "epsilon"
    assert "fits an epsilon of 3e-02, and the model's is 1e-05" in finding.text
    norm = next(node for node in spoiled.model.graph.node if node.op_type == "BatchNormalization")
    assert finding.node == norm.name
    (folded,) = dissection.fusions  # folded by TFLite with the wrong epsilon
    assert (folded.where, round(folded.fits, 3)) == ("LiteRT", 0.03)
    assert folded.error > 1e-3 > folded.error_as_it_fits
    later = [node for node in dissection.nodes if node.op == "Gemm"]
    assert later[0].runtimes["tensorflow"].beyond
    assert not later[0].runtimes["tensorflow"].born


def test_a_changed_weight_is_named(tmp_path):
    def change(model):
        other = onnx.ModelProto()
        other.CopyFrom(model)
        bias = next(item for item in other.graph.initializer if item.name == "fc.bias")
        bias.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(bias) + np.float32(0.5), bias.name))
        return other

    dissection = dissect(case("deep", tmp_path, change=change), QUICK, silent)
    assert [item.kind for item in dissection.findings] == ["weight"]
    assert "'fc.bias' is off by up to 5.0e-01" in dissection.findings[0].text


def test_a_converter_bug_is_not_mistaken_for_noise(tmp_path, monkeypatch):
    """The float64 run uses the same handlers and so has the same error."""
    from convnet_core.convert.native import registry

    def wrong(x):
        import tensorflow as tf

        return tf.nn.relu(x) + tf.cast(0.1, x.dtype)

    handlers = registry.all_handlers()
    broken = [dataclasses.replace(handler, function=wrong) for handler in handlers["", "Relu"]]
    monkeypatch.setitem(handlers, ("", "Relu"), broken)
    dissection = dissect(case("convnet", tmp_path), QUICK, silent)
    relu = next(node for node in dissection.nodes if node.op == "Relu")
    assert [(item.kind, item.node) for item in dissection.findings if item.kind == "born"] == [("born", relu.name)]


def test_the_stage_writes_the_files_for_pages_and_viewers(run):
    run_dissect(run, DissectConfig(steps=2, images=100), Monitor())
    folder = run.path / "dissect"
    content = json.loads((folder / "dissection.json").read_text())
    assert content["findings"] == []
    assert {entry["op_type"] for entry in content["entries"]} == {"Conv", "Relu", "Reshape", "Gemm"}
    weight = content["weights"][0]
    assert (weight["shape"], weight["there"], weight["place"]["perm"]) == ([16, 1, 3, 3], [3, 3, 1, 16], [3, 2, 0, 1])
    assert content["fusions"]["nodes"][0]["error"] < 1e-6
    assert {item["batch"] for item in content["sweep"]} == {1, 2, 7, 32, 257}
    assert not any(item["fault"] for item in content["sweep"])
    assert content["labels"]["pytorch"]["flipped"] == 0
    with np.load(folder / "worst_inputs.npz", allow_pickle=False) as worst:
        assert {"tensorflow/input", "litert-int8/input"} <= set(worst.files)
        assert worst["tensorflow/input"].shape == (1, 1, 28, 28)
    netron = json.loads((folder / "netron.json").read_text())
    assert netron["signature"] == "netron:attachment"
    targets = {(item["kind"], item["target"]) for item in netron["metrics"]}
    assert {name for kind, name in targets if kind == "node"} == {entry["name"] for entry in content["entries"]}
    assert {name for kind, name in targets if kind == "value"} == {node["output"] for node in content["nodes"]}
    (graph,) = json.loads((folder / "model_explorer.tensorflow.json").read_text()).values()
    # Model Explorer's ONNX adapter only knows these names.
    assert set(graph["results"]) == {node["name"] for node in content["nodes"]}
    for name in ("report.html", "report.md"):
        text = (folder / name).read_text()
        for expected in ("nothing wrong", "layer1.0.weight", "[3, 2, 0, 1]", "γ", "Labels", "257", "worst input"):
            assert expected in text, (name, expected)


def test_the_comparison_report_shows_where_errors_arise(run):
    run_dissect(run, DissectConfig(steps=1, images=50), Monitor())
    run_compare(run, CompareConfig(batch_sizes=(64,), samples=10), Monitor())
    page = (run.path / "compare/report.html").read_text()
    assert 'href="../dissect/report.html"' in page
    assert "Gemm node_linear" in page
    assert "Dissection of the conversion by native" in (run.path / "compare/report.md").read_text()
    run_dissect(run, DissectConfig(lesson="transposed", steps=1, images=50), Monitor())
    run_compare(run, CompareConfig(batch_sizes=(64,), samples=10), Monitor())
    page = (run.path / "compare/report.html").read_text()
    assert "Gemm node_linear" in page, "a lesson changes nothing"
    assert "esson" not in page


def test_int8_errors_are_found_without_labels(tmp_path):
    """The transformer's output is not a list of class scores."""
    healthy = case("transformer", tmp_path)
    wide = {name: array * np.float32(40) for name, array in healthy.samples.items()}
    dissection = dissect(dataclasses.replace(healthy, samples=wide, many=wide), QUICK, silent)
    assert [item.kind for item in dissection.findings] == ["int8-ranges"], [item.text for item in dissection.findings]
    assert "the output is off by" in dissection.findings[0].text


@pytest.mark.slow
def test_the_command_prints_the_table_and_the_findings(run):
    done = convnet("dissect", "--run", run.path, "--steps", 1, "--images", 50)
    assert "node_linear" in done.stdout
    assert "nothing wrong" in done.stdout
    done = convnet("dissect", "--run", run.path, "--lesson", "transposed", "--steps", 1, "--images", 50, check=1)
    assert "transposed-weight" in done.stdout
    assert "Lesson: a kernel transposed, in a copy of the run" in done.stdout
    assert "lessons/transposed/report.html" in done.stdout


@pytest.mark.slow
def test_a_crashing_runtime_is_a_finding_and_the_others_are_dissected(run, tmp_path):
    crashing_run = crashing.copy_crashing_run(run, tmp_path)
    findings = run_dissect(crashing_run, DissectConfig(steps=1, images=20), Monitor())
    (dead,) = [item for item in findings if item.kind == "dead"]
    assert dead.runtimes == ("litert-int8",)
    assert "SIGABRT" in dead.text
    content = read_json(crashing_run.path / "dissect/dissection.json")
    assert {"pytorch", "tensorflow", "litert-fp32", "litert-fp16"} < set(content["runtimes"])
    assert "litert-int8" not in content["runtimes"]
