"""The Export page with AppTest: empty, not exported yet, with a finished, a stale, a failed and a running run."""

import json

import pytest

from convnet_core.errors import ConversionError
from convnet_core.jobs import watcher
from convnet_core.jobs.job import open_job
from tests.conftest import copy_of
from tests.pages.conftest import button, open_page, running_job, text_of
from tests.support.links import replace_with_link


@pytest.fixture
def commands(monkeypatch):
    """The commands that the page starts, recorded instead of run: (run name, arguments)."""
    recorded = []
    monkeypatch.setattr(watcher, "start", lambda run, arguments: recorded.append((run.name, list(arguments))))
    return recorded


def figure_of(app):
    """The figure of the graph, as sent to the browser."""
    return json.loads(app.get("plotly_chart")[0].proto.spec)


def nodes_of(figure):
    """The ids of all nodes in the figure, and of the marked ones."""
    traces = [trace for trace in figure["data"] if "customdata" in trace]
    marked = [trace["customdata"][index] for trace in traces for index in trace.get("selectedpoints") or ()]
    return [name for trace in traces for name in trace["customdata"]], marked


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
    assert "Click a node" in text
    nodes, marked = nodes_of(figure_of(app))
    assert sorted(nodes) == sorted(app.selectbox(key="node").options)
    assert len(nodes) == 6
    assert not marked
    button(app, "Export again").click().run()
    assert commands == [(run.name, ["export"])]


def test_a_chosen_node_is_marked_and_explained(root, finished_run):
    copy_of(finished_run, root)
    app = open_page("export")
    name = next(option for option in app.selectbox(key="node").options if "linear" in option)
    app.selectbox(key="node").set_value(name).run()
    assert not app.exception
    assert nodes_of(figure_of(app))[1] == [name]
    text = text_of(app)
    assert "Gemm-13" in text
    assert "fc.weight" in text
    assert "125,440 values" in text
    attributes, inputs, outputs = (table.value for table in app.dataframe)
    assert dict(zip(attributes["Attribute"], attributes["Value"], strict=True))["transB"] == "1"
    assert list(inputs["Shape and type"])[1:] == ["[10, 12544] float32", "[10] float32"]
    assert list(outputs["Output"]) == ["logits"]
    histogram = json.loads(app.get("plotly_chart")[1].proto.spec)["data"][0]
    assert histogram["type"] == "bar"


def test_a_search_marks_its_matches_with_rings(root, finished_run):
    copy_of(finished_run, root)
    app = open_page("export")
    app.text_input(key="find").set_value("fc.").run()
    assert "1 of 6 nodes found" in text_of(app)
    (ring,) = [trace for trace in figure_of(app)["data"] if trace.get("name") == "found (1)"]
    (gemm,) = [trace for trace in figure_of(app)["data"] if trace.get("name") == "Gemm (1)"]
    assert (ring["x"], ring["y"]) == (gemm["x"], gemm["y"])


@pytest.mark.slow
def test_the_selected_node_of_another_run_is_ignored(root, finished_run):
    copy_of(finished_run, root)
    app = open_page()
    app.session_state["node"] = "of another run"
    app = app.switch_page("pages/export.py").run()
    assert not app.exception
    assert "Click a node" in text_of(app)


@pytest.mark.slow
def test_an_old_run_without_a_graph_file_can_be_exported_again(root, finished_run):
    run = copy_of(finished_run, root)
    (run.path / "export/graph.json").unlink()
    app = open_page("export")
    assert "Export it again to see the graph" in text_of(app)
    assert button(app, "Export again")


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
    assert nodes_of(figure_of(app))[0]


@pytest.mark.slow
def test_a_graph_that_is_a_link_is_not_shown(root, tmp_path, finished_run):
    run = copy_of(finished_run, root)
    replace_with_link(run, "export/graph.json", tmp_path)
    app = open_page("export")
    assert "graph.json leads out of the run's folder" in text_of(app)
    assert not app.get("plotly_chart")


@pytest.mark.slow
def test_a_stale_export_is_marked_as_out_of_date(root, finished_run):
    run = copy_of(finished_run, root)
    (run.path / "train/model.safetensors").write_bytes(b"other")
    app = open_page("export")
    assert "This is out of date" in text_of(app)
    assert "It passed" not in text_of(app)
    assert nodes_of(figure_of(app))[0]


@pytest.mark.slow
def test_a_failed_export_shows_its_reason_and_the_previous_graph(root, finished_run):
    run = copy_of(finished_run, root)
    with pytest.raises(ConversionError), open_job(run, "export"):
        raise ConversionError("no such operator", "choose a lower opset")
    app = open_page("export")
    assert "no such operator" in text_of(app)
    assert "choose a lower opset" in text_of(app)
    assert nodes_of(figure_of(app))[0]


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
    assert nodes_of(figure_of(open_page("export")))[0]
