"""The Export page with AppTest: empty, not exported yet, with a finished, a stale, a failed and a running run."""

import json

import pytest
from onnx.backend.test.loader import load_model_tests

from convnet_core.errors import ConversionError
from convnet_core.graphs import from_onnx
from convnet_core.jobs import watcher
from convnet_core.jobs.job import open_job
from pages.components.graph_explorer import panel_of
from tests.conftest import copy_of
from tests.pages.conftest import button, graphs_of, open_page, running_job, text_of
from tests.support.links import replace_with_link


@pytest.fixture
def commands(monkeypatch):
    """The commands that the page starts, recorded instead of run: (run name, arguments)."""
    recorded = []
    monkeypatch.setattr(watcher, "start", lambda run, arguments: recorded.append((run.name, list(arguments))))
    return recorded


def nodes_of(app):
    """The ids of all nodes in the graph, and of the marked ones."""
    (graph,) = graphs_of(app)
    return [node[0] for node in graph["index"]], graph["marked"]


def test_without_a_run_it_offers_to_run_the_pipeline(root):
    app = open_page("export")
    assert "needs a trained network" in text_of(app)
    assert button(app, "Run the pipeline")


def test_a_trained_run_is_exported_with_the_chosen_options(root, trained_run, commands):
    run = copy_of(trained_run, root)
    app = open_page("export")
    assert "has not been exported yet" in text_of(app)
    app.slider(key="opset").set_value(21)
    app.toggle(key="fuse-batchnorm").set_value(False)
    button(app, "Export").click().run()
    assert not app.exception
    assert commands == [(run.name, ["export", "--opset", "21", "--no-fuse-batchnorm"])]


def test_a_finished_run_shows_its_checks_and_the_graph(root, finished_run, commands):
    run = copy_of(finished_run, root)
    app = open_page("export")
    text = text_of(app)
    assert "Opset 18, 4 nodes" in text
    assert "full shape inference" in text
    nodes, marked = nodes_of(app)
    assert len(nodes) == 6
    assert not marked
    button(app, "Export again").click().run()
    assert commands == [(run.name, ["export"])]


def test_a_small_graph_is_shown_with_its_modules_open(root, finished_run):
    copy_of(finished_run, root)
    (graph,) = graphs_of(open_page("export"))
    shapes = {shape[0]: shape for shape in graph["scene"]["shapes"]}
    assert {name for name, shape in shapes.items() if shape[5]} == {"layer1", "fc"}
    (conv,) = [shape for shape in shapes.values() if shape[7] == "Conv"]
    assert conv[9] == ["weight 16×1×3×3", "bias 16", "kernel_shape 3×3", "pads 1, 1, 1, 1"]
    labels = [label[0] for label in graph["scene"]["labels"]]
    assert {"batch×1×28×28", "batch×16×28×28", "batch×10"} <= set(labels)


def test_a_chosen_node_is_marked_and_explained(root, finished_run):
    copy_of(finished_run, root)
    app = open_page("export", node="node_linear")
    (graph,) = graphs_of(app)
    assert graph["marked"] == ["node_linear"]
    panel = graph["panel"]
    assert panel["title"] == "Gemm-13"
    attributes, inputs, outputs, weight, bias = panel["parts"]
    assert dict(attributes["rows"])["transB"] == "1"
    assert [row[1] for row in inputs["rows"]][1:] == ["float32 [10, 12544]", "float32 [10]"]
    assert outputs["rows"] == [["logits", "float32 [batch, 10]"]]
    assert (weight["title"], bias["title"]) == ("fc.weight", "fc.bias")
    assert dict(weight["rows"])["size"] == "125,440 values"
    assert sum(weight["bars"]) == 125_440


@pytest.mark.slow
def test_no_node_of_any_graph_makes_the_panel_fail():
    """Inputs, outputs, constants, subgraphs, weights without statistics, and omitted inputs."""
    for case in load_model_tests(kind="node")[::25]:
        graph = from_onnx.read(case.model)
        for node in graph.nodes:
            assert panel_of(graph, node).title


@pytest.mark.slow
def test_a_node_of_another_run_in_the_address_is_ignored(root, finished_run):
    copy_of(finished_run, root)
    app = open_page("export", node="of another run")
    assert nodes_of(app)[1] == []
    assert graphs_of(app)[0]["panel"] is None


@pytest.mark.parametrize("early", ["without a graph", "with a graph that knows no modules"])
def test_the_graph_of_an_early_run_is_read_from_its_model(root, finished_run, early):
    run = copy_of(finished_run, root)
    path = run.path / "export/graph.json"
    graph = json.loads(path.read_text())
    del graph["modules"]
    for node in graph["nodes"]:
        del node["modules"]
        node.update(x=1.0, y=2.0)
    path.unlink()
    if early != "without a graph":
        path.write_text(json.dumps(graph))
    (shown,) = graphs_of(open_page("export"))
    assert {shape[0] for shape in shown["scene"]["shapes"] if shape[5]} == {"layer1", "fc"}


@pytest.mark.slow
def test_a_damaged_graph_is_explained(root, finished_run):
    run = copy_of(finished_run, root)
    (run.path / "export/graph.json").write_text("{")
    assert "graph.json cannot be read" in text_of(open_page("export"))


@pytest.mark.slow
def test_a_model_that_is_a_link_is_not_downloadable(root, tmp_path, finished_run):
    run = copy_of(finished_run, root)
    replace_with_link(run, "export/model.onnx", tmp_path)
    app = open_page("export")
    assert "model.onnx leads out of the run's folder" in text_of(app)
    assert not app.download_button
    assert nodes_of(app)[0]


@pytest.mark.slow
def test_a_graph_that_is_a_link_is_not_shown(root, tmp_path, finished_run):
    run = copy_of(finished_run, root)
    replace_with_link(run, "export/graph.json", tmp_path)
    app = open_page("export")
    assert "graph.json leads out of the run's folder" in text_of(app)
    assert not graphs_of(app)


@pytest.mark.slow
def test_a_stale_export_is_marked_as_out_of_date(root, finished_run):
    run = copy_of(finished_run, root)
    (run.path / "train/model.safetensors").write_bytes(b"other")
    app = open_page("export")
    assert "This is out of date" in text_of(app)
    assert "It passed" not in text_of(app)
    assert nodes_of(app)[0]


@pytest.mark.slow
def test_a_failed_export_shows_its_reason_and_the_previous_graph(root, finished_run):
    run = copy_of(finished_run, root)
    with pytest.raises(ConversionError), open_job(run, "export"):
        raise ConversionError("no such operator", "choose a lower opset")
    app = open_page("export")
    assert "no such operator" in text_of(app)
    assert "choose a lower opset" in text_of(app)
    assert nodes_of(app)[0]


@pytest.mark.slow
def test_a_running_export_can_be_stopped(root, trained_run):
    run = copy_of(trained_run, root)
    with running_job(run, "export", "StageStarted(stage='export')"):
        app = open_page("export")
        assert "export" in text_of(app)
        assert button(app, "Stop")
        assert not [item for item in app.button if item.label.startswith("Export")]


def test_the_page_opens_no_onnx_file(root, finished_run, monkeypatch):
    import onnx

    monkeypatch.setattr(onnx, "load", None)
    monkeypatch.setattr(onnx, "load_model", None)
    copy_of(finished_run, root)
    assert nodes_of(open_page("export"))[0]
