"""The Dissect page with AppTest: empty, not converted, not dissected, dissected, stale, damaged, running."""

import json

import numpy as np
import pytest

from convnet_core.config.stages import DissectConfig
from convnet_core.events import Monitor
from convnet_core.jobs import watcher
from convnet_core.runs.stage_record import outputs_of
from convnet_core.stages.dissect import run_dissect
from tests.conftest import copy_of
from tests.pages.conftest import button, graphs_of, open_page, running_job, text_of
from tests.support.links import replace_with_link


@pytest.fixture(scope="module")
def dissected_run(finished_run, tmp_path_factory):
    run = copy_of(finished_run, tmp_path_factory.mktemp("dissected"))
    run_dissect(run, DissectConfig(steps=1, images=100), Monitor())
    return run


@pytest.fixture
def run(root, dissected_run):
    return copy_of(dissected_run, root)


def change_report(run, stage="dissect", **changes):
    path = run.path / stage / "dissection.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    record = path.with_name("stage.json")
    content = json.loads(record.read_text())
    content["outputs"][path.name] = outputs_of(path.parent)[path.name]
    record.write_text(json.dumps(content))


def test_without_a_run_it_asks_for_a_trained_network(root):
    assert "needs a trained network" in text_of(open_page("dissect"))


def test_an_unconverted_run_can_be_dissected(root, finished_run):
    run = copy_of(finished_run, root)
    run.discard("convert/native")
    assert "Dissect" in [button.label for button in open_page("dissect").button]


def test_a_dissection_starts_with_the_chosen_options(root, finished_run, monkeypatch):
    run = copy_of(finished_run, root)
    commands = []
    monkeypatch.setattr(watcher, "start", lambda run, arguments: commands.append((run.name, arguments)))
    app = open_page("dissect")
    assert not app.dataframe
    app.select_slider[0].set_value(16).run()
    button(app, "Dissect").click().run()
    assert commands == [(run.name, ["dissect", "--samples", "16"])]


def test_the_search_for_the_worst_inputs_is_off_for_a_large_network_and_its_cost_is_said(
    root, finished_run, monkeypatch
):
    copy_of(finished_run, root)
    commands = []
    monkeypatch.setattr(watcher, "start", lambda _, arguments: commands.append(arguments))
    app = open_page("dissect")
    assert app.toggle[0].value
    assert "It takes about 8 s." in text_of(app)
    monkeypatch.setattr("pages.forms.dissection.multiply_adds", lambda _: 1_800_000_000)  # resnet18
    app = open_page("dissect")
    assert not app.toggle[0].value
    assert "without the search for the worst inputs, which would take about 3 minutes more" in text_of(app)
    app.toggle[0].set_value(True).run()
    button(app, "Dissect").click().run()
    assert commands == [["dissect", "--worst", "yes"]]


def test_the_answer_stands_above_the_settings(run):
    app = open_page("dissect")
    places = [item.type for item in app.main if item.type in ("success", "selectbox", "select_slider", "button")]
    assert places[:2] == ["success", "selectbox"]
    assert places.index("select_slider") < places.index("button")
    assert [item.label for item in app.expander] == ["Settings"]


def test_the_graphs_have_a_color_bar_and_the_histogram_shows_what_each_precision_may_add(run):
    app = open_page("dissect")
    app.query_params["node"] = "node_linear"
    app.run()
    for graph in graphs_of(app):
        assert "fraction of the value's range (log scale)" in graph["legend"]["title"]
        assert graph["legend"]["ticks"] == ["1e-8", "1e-6", "1e-4", "1e-2"]
    (histogram,) = (json.loads(chart.proto.spec) for chart in app.get("plotly_chart"))
    assert [line["x0"] for line in histogram["layout"]["shapes"]] == [1e-5, 5e-3, 0.1]
    notes = {note["text"]: note["x"] for note in histogram["layout"]["annotations"]}
    assert notes == {"float32": -5, "float16": pytest.approx(-2.3, abs=0.01), "int8": -1}, "on a log axis"


def test_a_chosen_node_is_marked_in_both_graphs(run):
    app = open_page("dissect")
    assert [graph["marked"] for graph in graphs_of(app)] == [[], []]
    app.query_params["node"] = "node_linear"
    onnx, tensorflow = graphs_of(app.run())
    assert onnx["marked"] == ["node_linear"]
    assert tensorflow["marked"] == ["node_linear/MatMul", "node_linear/add"]
    app.query_params["node"] = "input"
    assert [graph["marked"] for graph in graphs_of(app.run())] == [["input"], []]
    assert "no float outputs" not in text_of(app), "an input has no details"


def test_the_graphs_are_in_the_language_of_each_session(run):
    """The drawings are kept for all sessions."""
    entries = json.loads((run.path / "dissect/dissection.json").read_text())["entries"]
    entries[0]["ops"][0].update(type="Transpose", perm=[0, 2, 3, 1])
    change_report(run, entries=entries)
    for language, title in (("en", "Transpose (layout)"), ("zh", "Transpose（布局）")):
        _, tensorflow = graphs_of(open_page("dissect", lang=language))
        box = next(shape for shape in tensorflow["scene"]["shapes"] if shape[7] == title)
        assert box[9] == ["perm 0, 2, 3, 1"]


def test_a_damaged_graph_is_said_and_the_rest_is_shown(run):
    (run.path / "dissect/graph.json").write_text("{")
    app = open_page("dissect")
    assert not app.exception
    assert "graph.json cannot be read" in text_of(app)
    assert "nothing wrong" in text_of(app)


@pytest.mark.slow
def test_every_node_can_be_chosen(run):
    app = open_page("dissect")
    for name in [box[0] for box in graphs_of(app)[0]["index"]]:
        app.query_params["node"] = name
        assert not app.run().exception, name


def test_an_early_dissection_shows_the_graph_of_the_run_if_it_is_the_same(run):
    (run.path / "dissect/graph.json").unlink()
    titles = [[shape[0] for shape in graph["scene"]["shapes"]] for graph in graphs_of(open_page("dissect"))]
    assert all("layer1" in names for names in titles)
    pictures = json.loads((run.path / "dissect/dissection.json").read_text())["pictures"]
    pictures["onnx"]["nodes"][0]["node"] = "another"
    change_report(run, pictures=pictures)
    onnx, _ = graphs_of(open_page("dissect"))
    assert [shape[7] for shape in onnx["scene"]["shapes"]] == ["Conv", "Relu", "Reshape", "Gemm"]


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
def test_both_graphs_are_colored_by_the_chosen_runtime(run, runtime):
    """Nodes without a value in the runtime are gray; in LiteRT, some are fused into a larger operator."""
    nodes = json.loads((run.path / "dissect/dissection.json").read_text())["nodes"]
    others = {name: error for name, error in nodes[0]["runtimes"].items() if name != runtime}
    change_report(run, nodes=[{**nodes[0], "runtimes": others}, *nodes[1:]])
    app = open_page("dissect")
    next(box for box in app.selectbox if box.key == "dissect-runtime").set_value(runtime).run()
    assert not app.exception
    colors = set(graphs_of(app)[0]["colors"].values())
    assert "#bbbbbb" in colors
    assert len(colors) > 1


def test_a_chosen_node_shows_ops_weights_and_errors(run):
    app = open_page("dissect")
    app.query_params["node"] = next(box[0] for box in graphs_of(app)[0]["index"] if box[1] == "Conv")
    app.run()
    assert not app.exception
    text = text_of(app)
    assert "OIHW [16, 1, 3, 3] → HWIO [3, 3, 1, 16]" in text
    assert "A BatchNorm is folded into this node" in text
    assert "Float32 noise here" in text
    (errors,) = [table.value for table in app.dataframe if "× noise" in table.value]
    assert {"pytorch", "tensorflow"} <= set(errors["Runtime"])


def test_findings_are_errors(run):
    """Names from a file are no Markdown: a picture in one would ask another server."""
    finding = {"kind": "born", "text": "Born <b>*here*</b>", "mend": "Mend it.", "node": "", "runtimes": []}
    change_report(run, findings=[finding])
    app = open_page("dissect")
    assert r"Born \<b\>\*here\*\<\/b\>" in app.error[0].value
    assert "Lesson" not in text_of(app)
    assert button(app, "Dissect again")
    assert "worst_inputs.npz" in [item.label for item in app.download_button]


@pytest.mark.parametrize("remaining", [["onnxruntime", "pytorch"], ["onnxruntime"]], ids=["trained", "imported"])
def test_a_refused_conversion_shows_its_reason_without_a_graph(run, remaining):
    finding = {"kind": "unsupported", "text": "Reshape-19 is missing", "mend": "", "node": "", "runtimes": []}
    empty = {"nodes": [], "edges": []}
    content = json.loads((run.path / "dissect/dissection.json").read_text())
    pictures = {**content["pictures"], "tensorflow": empty}
    nodes = [
        {**node, "runtimes": {name: node["runtimes"][name] for name in remaining[1:]}} for node in content["nodes"]
    ]
    change_report(run, findings=[finding], entries=[], litert=[], pictures=pictures, runtimes=remaining, nodes=nodes)
    app = open_page("dissect")
    assert not app.exception
    assert r"Reshape\-19 is missing" in text_of(app)


@pytest.mark.slow
def test_a_stale_dissection_is_marked_as_out_of_date(run):
    path = run.path / "convert/native/nodes.json"
    path.write_text(path.read_text() + " ")
    app = open_page("dissect")
    assert "Out of date: convert/native/nodes.json has changed since. The last dissection said" in text_of(app)
    assert not app.success
    assert button(app, "Dissect again")


@pytest.mark.slow
def test_a_damaged_file_is_explained(run):
    (run.path / "dissect/dissection.json").write_text("{")
    assert "cannot be read" in text_of(open_page("dissect"))


@pytest.mark.slow
def test_a_running_dissection_hides_the_old_results(run):
    with running_job(run, "dissect", "StageStarted(stage='dissect')") as job:
        app = open_page("dissect")
        assert "**dissect**" in text_of(app)
        assert not app.dataframe
        assert [bar.proto.text for bar in app.get("progress")] == ["Loading the libraries"]
        assert job.poll() is None


@pytest.mark.slow
def test_a_report_with_a_value_of_the_wrong_type_is_explained(run):
    change_report(run, nodes=7)
    app = open_page("dissect")
    assert "dissection.json cannot be read" in app.error[0].value
    assert not app.exception


def test_the_worst_inputs_are_shown_and_downloadable(run):
    app = open_page("dissect")
    assert "worst_inputs.npz" in [item.label for item in app.download_button]
    assert {"pytorch", "tensorflow", "litert-int8"} <= set(app.get("image")[-1].captions)


@pytest.mark.slow
def test_worst_inputs_with_unusual_values_are_shown(run):
    """NaN, booleans, and integers whose difference overflows their type."""
    odd = (np.array([[np.nan, np.inf]]), np.array([[True, False]]), np.array([[-128, 127]], np.int8), np.ones((1, 3)))
    np.savez(
        run.path / "dissect/worst_inputs.npz", **{f"{place}/x": item[None, None] for place, item in enumerate(odd)}
    )
    app = open_page("dissect")
    assert not app.error
    assert app.get("image")[-1].captions == ["0", "1", "2", "3"]


@pytest.mark.slow
def test_damaged_worst_inputs_are_explained_and_the_rest_is_shown(run):
    (run.path / "dissect/worst_inputs.npz").write_bytes(b"no archive")
    app = open_page("dissect")
    assert "worst_inputs.npz cannot be read: File is not a zip file" in app.error[0].value
    assert "worst_inputs.npz" in [item.label for item in app.download_button]  # it may only be too large for a page
    assert "Batch sizes" in text_of(app)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["report.html", "netron.json", "model_explorer.tensorflow.json", "worst_inputs.npz"])
def test_a_file_that_is_a_link_is_not_downloadable(run, tmp_path, name):
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
def test_a_runtime_name_that_is_a_path_is_refused(run):
    change_report(run, runtimes=["onnxruntime", "x/../../../secret"])
    app = open_page("dissect")
    assert "'x/../../../secret' is not a valid name for a runtime" in app.error[0].value
    assert not app.download_button
