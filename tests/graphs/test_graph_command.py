"""The graph that the export stage writes, and the command that prints it."""

import json

import pytest

from convnet_core.errors import ModelError, RunError
from convnet_core.graphs import graph_file
from convnet_core.runs.run import Run
from tests.conftest import convnet, copy_of


def test_the_export_stores_the_graph_and_lists_the_checks(finished_run):
    record = finished_run.require("export")
    graph = graph_file.read(finished_run.path / "export/graph.json")
    assert graph == graph_file.of_file(finished_run.path / "export/model.onnx")
    assert "graph.json" in record.outputs
    assert record.result["opset"] == 18
    assert "full shape inference" in record.result["checked"]


def test_the_command_prints_the_nodes(finished_run):
    output = convnet("graph", "--run", finished_run.path).stdout
    for text in ("Conv-11", "Gemm-13", "[batch, 1, 28, 28]", "fc.weight", "4 operations", "opset ai.onnx 18"):
        assert text in output


def test_the_command_prints_the_whole_graph_as_json(finished_run, tmp_path):
    expected = json.loads((finished_run.path / "export/graph.json").read_text())
    assert json.loads(convnet("graph", "--run", finished_run.path, "--json").stdout) == expected
    model = finished_run.path / "export/model.onnx"
    assert json.loads(convnet("graph", "--onnx", model, "--json").stdout) == expected
    run = copy_of(finished_run, tmp_path)
    (run.path / "export/graph.json").unlink()  # exported by an older version
    assert json.loads(convnet("graph", "--run", run.path, "--json").stdout) == expected


def test_the_command_reports_a_bad_model_and_a_missing_export(tmp_path):
    (tmp_path / "no.onnx").write_bytes(b"no model")
    assert "is a text file" in convnet("graph", "--onnx", tmp_path / "no.onnx", check=2).stderr
    with pytest.raises(RunError, match="has no export yet"):
        graph_file.of_run(Run.create(tmp_path / "run"))


@pytest.mark.parametrize("text", ["", "[]", '{"nodes": []}', '{"nodes": 1}'])
def test_a_damaged_graph_file_is_an_error(tmp_path, text):
    (tmp_path / "graph.json").write_text(text)
    with pytest.raises(ModelError, match=r"cannot be read|model.onnx: no such file"):
        graph_file.read(tmp_path / "graph.json")
