"""The page Dissect with AppTest: empty, not converted, not dissected, dissected, a lesson, stale, damaged, running."""

import json
import shutil

import numpy as np
import pytest

from convnet_core.config.stages import DissectConfig
from convnet_core.events import Monitor
from convnet_core.jobs import watcher
from convnet_core.stages.dissect import run_dissect
from tests.conftest import copy_of
from tests.pages.conftest import button, open_page, running_job, text_of
from tests.support.links import replace_with_link


@pytest.fixture(scope="module")
def dissected_run(finished_run, tmp_path_factory):
    run = copy_of(finished_run, tmp_path_factory.mktemp("dissected"))
    run_dissect(run, DissectConfig(steps=1, images=100), Monitor())
    return run


@pytest.fixture
def run(root, dissected_run):
    return copy_of(dissected_run, root)


def with_content(run, stage="dissect", **changes):
    path = run.path / stage / "dissection.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_without_a_run_it_says_what_to_do(root):
    assert "needs a trained network" in text_of(open_page("dissect"))


def test_without_a_conversion_it_can_be_started(root, finished_run):
    run = copy_of(finished_run, root)
    run.discard("convert/native")
    assert "Dissect" in [button.label for button in open_page("dissect").button]


def test_a_dissection_is_started_with_what_was_chosen(root, finished_run, monkeypatch):
    run = copy_of(finished_run, root)
    started = []
    monkeypatch.setattr(watcher, "start", lambda run, arguments: started.append((run.name, arguments)))
    app = open_page("dissect")
    assert not app.dataframe
    next(box for box in app.selectbox if box.key == "lesson").set_value("flatten-order")
    app.select_slider[0].set_value(16)
    button(app, "Dissect").click().run()
    assert started == [(run.name, ["dissect", "--lesson", "flatten-order", "--samples", "16"])]


def test_a_clean_dissection_shows_both_graphs_and_every_node(run):
    app = open_page("dissect")
    assert "nothing wrong" in text_of(app)
    assert not app.error
    tables = [table.value for table in app.dataframe]
    (nodes,) = [table for table in tables if "noise" in table]
    assert list(nodes["ONNX"]) == ["Conv", "Relu", "Reshape", "Gemm"]
    assert "Conv2D" in nodes["TensorFlow"][0]
    assert (nodes["tensorflow"] < 1e-5).all()
    (sweep,) = [table for table in tables if "257" in table]
    exact = ~sweep["runtime"].str.contains("int8|fp16")
    assert all(cell.startswith("✓") for cell in sweep["257"][exact])
    assert all(widget.help for widget in (*app.selectbox, *app.select_slider, *app.button))


@pytest.mark.parametrize("runtime", ["pytorch", "tensorflow", "litert-int8"])
def test_both_graphs_are_drawn_in_the_colours_of_any_runtime(run, runtime):
    """Some nodes have no value in LiteRT, where they are inside a larger operator: those are grey."""
    nodes = json.loads((run.path / "dissect/dissection.json").read_text())["nodes"]
    seen = {name: seen for name, seen in nodes[0]["runtimes"].items() if name != runtime}
    with_content(run, nodes=[{**nodes[0], "runtimes": seen}, *nodes[1:]])
    app = open_page("dissect")
    next(box for box in app.selectbox if box.key == "dissect-runtime").set_value(runtime).run()
    assert not app.exception
    figures = [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]
    colours = figures[0]["data"][2]["marker"]["color"]
    assert "#bbbbbb" in colours
    assert len(set(colours)) > 1


def test_a_chosen_node_shows_ops_weights_and_errors(run):
    app = open_page("dissect")
    box = next(box for box in app.selectbox if box.key == "dissected-node")
    box.set_value(box.options[0]).run()
    assert not app.exception
    said = text_of(app)
    assert "OIHW [16, 1, 3, 3] → HWIO [3, 3, 1, 16]" in said
    assert "A BatchNorm is folded into this node" in said
    assert "Float32 noise here" in said
    (seen,) = [table.value for table in app.dataframe if "× noise" in table.value]
    assert {"pytorch", "tensorflow"} <= set(seen["Runtime"])


def test_a_finding_is_an_error_and_a_lesson_says_that_it_is_one(run):
    shutil.copytree(run.path / "dissect", run.path / "lessons/epsilon")
    finding = {"kind": "born", "text": "Born <b>here</b>", "mend": "Mend it.", "node": "", "runtimes": []}
    config = json.loads((run.path / "dissect/dissection.json").read_text())["config"]
    with_content(run, "lessons/epsilon", findings=[finding], config={**config, "lesson": "epsilon"})
    app = open_page("dissect")
    assert "nothing wrong" in text_of(app)
    assert "Lesson" not in text_of(app)
    next(box for box in app.selectbox if box.key == "lesson").set_value("epsilon").run()
    assert "Born <b>here</b>" in app.error[0].value
    assert "Lesson epsilon: another BatchNorm epsilon in a copy of the run" in text_of(app)
    assert button(app, "Dissect again")
    assert "worst_inputs.npz" in [item.label for item in app.download_button]
    next(box for box in app.selectbox if box.key == "lesson").set_value("opset").run()
    assert button(app, "Dissect"), "that lesson has not been given yet"
    assert not app.error


def test_a_refused_conversion_has_nothing_to_draw_and_says_why(run):
    finding = {"kind": "unsupported", "text": "Reshape-19 is missing", "mend": "", "node": "", "runtimes": []}
    empty = {"nodes": [], "edges": []}
    content = json.loads((run.path / "dissect/dissection.json").read_text())
    pictures = {**content["pictures"], "tensorflow": empty}
    kept = [name for name in content["runtimes"] if name in ("onnxruntime", "pytorch")]
    nodes = [{**node, "runtimes": {"pytorch": node["runtimes"]["pytorch"]}} for node in content["nodes"]]
    with_content(run, findings=[finding], entries=[], litert=[], pictures=pictures, runtimes=kept, nodes=nodes)
    app = open_page("dissect")
    assert not app.exception
    assert "Reshape-19 is missing" in app.error[0].value


@pytest.mark.slow
def test_a_stale_dissection_says_so(run):
    path = run.path / "convert/native/nodes.json"
    path.write_text(path.read_text() + " ")
    assert "is out of date" in text_of(open_page("dissect"))


@pytest.mark.slow
def test_a_damaged_file_is_said_to_be(run):
    (run.path / "dissect/dissection.json").write_text("{")
    assert "cannot be read" in text_of(open_page("dissect"))


@pytest.mark.slow
def test_a_dissection_at_work_is_followed(run):
    with running_job(run, "dissect", "StageStarted(stage='dissect')"):
        app = open_page("dissect")
        assert "**dissect**" in text_of(app)
        assert not app.dataframe


@pytest.mark.slow
def test_a_dissection_with_a_value_of_another_kind_is_said_to_be_unreadable(run):
    with_content(run, nodes=7)
    app = open_page("dissect")
    assert "dissection.json cannot be read" in app.error[0].value
    assert not app.exception


def test_the_worst_inputs_are_drawn_and_given_out(run):
    app = open_page("dissect")
    assert "worst_inputs.npz" in [item.label for item in app.download_button]
    assert {"pytorch", "tensorflow", "litert-int8"} <= set(app.get("image")[-1].captions)


@pytest.mark.slow
def test_worst_inputs_of_odd_numbers_are_drawn(run):
    """NaN, booleans, and whole numbers whose distance is no number of their kind."""
    odd = (np.array([[np.nan, np.inf]]), np.array([[True, False]]), np.array([[-128, 127]], np.int8), np.ones((1, 3)))
    np.savez(
        run.path / "dissect/worst_inputs.npz", **{f"{place}/x": item[None, None] for place, item in enumerate(odd)}
    )
    app = open_page("dissect")
    assert not app.error
    assert app.get("image")[-1].captions == ["0", "1", "2", "3"]


@pytest.mark.slow
def test_damaged_worst_inputs_are_said_to_be_and_the_rest_is_shown(run):
    (run.path / "dissect/worst_inputs.npz").write_bytes(b"no archive")
    app = open_page("dissect")
    assert "worst_inputs.npz cannot be read: File is not a zip file" in app.error[0].value
    assert "worst_inputs.npz" in [item.label for item in app.download_button]  # it may only be too large for a page
    assert "Batch sizes" in text_of(app)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["report.html", "netron.json", "model_explorer.tensorflow.json", "worst_inputs.npz"])
def test_a_file_that_is_a_link_is_not_given_out(run, tmp_path, name):
    replace_with_link(run, f"dissect/{name}", tmp_path)
    app = open_page("dissect")
    assert f"{name} leads out of the run's folder" in app.error[0].value
    assert name not in [item.label for item in app.download_button]


@pytest.mark.slow
def test_a_dissection_that_is_a_link_is_not_shown(run, tmp_path):
    replace_with_link(run, "dissect/dissection.json", tmp_path)
    app = open_page("dissect")
    assert "dissection.json leads out of the run's folder" in app.error[0].value
    assert not app.dataframe


@pytest.mark.slow
def test_a_runtime_whose_name_is_a_path_is_refused(run):
    with_content(run, runtimes=["onnxruntime", "x/../../../secret"])
    app = open_page("dissect")
    assert "'x/../../../secret' is not a valid name for a runtime" in app.error[0].value
    assert not app.download_button
