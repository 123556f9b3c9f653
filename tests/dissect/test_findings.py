"""Eight faults of real life, each with its finding; and none where nothing is wrong."""

import json
import sys

import numpy as np
import onnx
import onnx.helper
import onnx.numpy_helper
import pytest

from convnet_core.config import DissectConfig, ExportConfig
from convnet_core.dissect.dissection import dissect
from convnet_core.dissect.lessons import LESSONS
from convnet_core.errors import ConfigError
from convnet_core.events import Monitor
from convnet_core.runs import Run
from convnet_core.stages import run_dissect
from tests.conftest import convnet, copy_of
from tests.dissect.networks import case, networks

QUICK = DissectConfig(steps=3, batch_sizes=(1, 2, 7))


def silent(label):
    pass


@pytest.fixture(scope="module")
def run(finished_run, tmp_path_factory):
    return copy_of(finished_run, tmp_path_factory.mktemp("dissected"))


@pytest.mark.parametrize("name", networks())
def test_nothing_is_found_where_nothing_is_wrong(name, tmp_path):
    made = case(name, tmp_path / name)
    found = dissect(made, QUICK, silent)
    assert [item.text for item in found.findings] == []
    numeric = {node.output for node in found.nodes}
    for runtime in ("pytorch", "tensorflow"):
        assert {node.output for node in found.nodes if runtime in node.runtimes} == numeric
    assert all(node.noise < 1e-5 for node in found.nodes)


@pytest.mark.parametrize("lesson", LESSONS)
def test_each_fault_has_its_finding_and_no_other(run, lesson):
    if lesson == "opset" and sys.version_info >= (3, 12):
        pytest.skip("onnx-tf needs Python 3.11")
    found = run_dissect(run, DissectConfig(lesson=lesson, steps=2, images=300), Monitor())
    assert [item.kind for item in found.findings] == [LESSONS[lesson][1]], [item.text for item in found.findings]
    (finding,) = found.findings
    said = {
        "train-mode": "training mode, at node",
        "flatten-order": "transpose by (1, 2, 0)",
        "epsilon": "epsilon of 5e-02",
        "transposed": "transpose by (0, 1, 3, 2) fits",
        "int8-noise": "Only the int8 artefact fails",
        "not-scaled": "The inputs go from 0 to 255, and the network has learned from 0 to 1",
        "frozen-batch": "the first size of [1, 12544]",
        "opset": "Reshape-19",
    }
    assert said[lesson] in f"{finding.text} {finding.mend}"


def with_epsilon(value):
    def change(model):
        other = onnx.ModelProto()
        other.CopyFrom(model)
        norm = next(node for node in other.graph.node if node.op_type == "BatchNormalization")
        next(item for item in norm.attribute if item.name == "epsilon").f = value
        return other

    return change


def test_a_wrong_epsilon_that_is_not_folded_is_born_at_its_node(tmp_path):
    made = case("convnet", tmp_path, exporting=ExportConfig(fuse_batchnorm=False), converting=with_epsilon(0.03))
    found = dissect(made, QUICK, silent)
    (finding,) = found.findings
    assert finding.kind == "epsilon"
    assert "fits an epsilon of 3e-02, and the model's is 1e-05" in finding.text
    norm = next(node for node in made.model.graph.node if node.op_type == "BatchNormalization")
    assert finding.node == norm.name
    later = [node for node in found.nodes if node.op == "Gemm"]
    assert later[0].runtimes["tensorflow"].beyond
    assert not later[0].runtimes["tensorflow"].born


def test_a_changed_weight_is_named(tmp_path):
    def change(model):
        other = onnx.ModelProto()
        other.CopyFrom(model)
        bias = next(item for item in other.graph.initializer if item.name == "fc.bias")
        bias.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(bias) + np.float32(0.5), bias.name))
        return other

    found = dissect(case("deep", tmp_path, converting=change), QUICK, silent)
    assert [item.kind for item in found.findings] == ["weight"]
    assert "'fc.bias' is up to 5.0e-01 off" in found.findings[0].text


def test_the_stage_writes_what_pages_and_viewers_read(run):
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
    netron = json.loads((folder / "netron.json").read_text())
    assert netron["signature"] == "netron:attachment"
    assert {item["target"] for item in netron["metrics"]} == {entry["name"] for entry in content["entries"]}
    (graph,) = json.loads((folder / "model_explorer.tensorflow.json").read_text()).values()
    assert set(graph["results"]) == {node["output"] for node in content["nodes"]}
    assert "nothing wrong" in (folder / "report.html").read_text()


def test_the_command_prints_the_table_and_says_what_is_wrong(run):
    done = convnet("dissect", "--run", run.path, "--steps", 1, "--images", 50)
    assert "node_linear" in done.stdout
    assert "nothing wrong" in done.stdout
    done = convnet("dissect", "--run", run.path, "--lesson", "transposed", "--steps", 1, "--images", 50, check=1)
    assert "transposed-weight" in done.stdout


def test_lessons_need_a_network_that_reads_digits(tmp_path):
    node = onnx.helper.make_node("Relu", ["x"], ["y"], "relu")
    ports = [onnx.helper.make_tensor_value_info(name, 1, ["n", 3]) for name in "xy"]
    model = onnx.helper.make_model(
        onnx.helper.make_graph([node], "g", ports[:1], ports[1:]),
        opset_imports=[onnx.helper.make_opsetid("", 18)],
        ir_version=10,
    )
    onnx.save(model, tmp_path / "m.onnx")
    done = convnet("dissect", "--onnx", tmp_path / "m.onnx", "--run", tmp_path / "run", "--steps", 1)
    assert "nothing wrong" in done.stdout
    with pytest.raises(ConfigError, match="reads digits"):
        run_dissect(Run.open(tmp_path / "run"), DissectConfig(lesson="epsilon"), Monitor())
