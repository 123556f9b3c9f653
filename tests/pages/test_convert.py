"""The Convert page with AppTest: empty, exported only, finished, stale, failed, running."""

import json
import shutil

import pytest

from convnet_core.artifacts import snippets
from convnet_core.errors import ConversionError
from convnet_core.jobs import watcher
from convnet_core.jobs.job import open_job
from convnet_core.runs.run import Run
from tests.conftest import copy_of
from tests.pages.conftest import button, open_page, running_job, text_of


@pytest.fixture
def commands(monkeypatch):
    """The commands that the page starts, recorded instead of run: (run name, arguments)."""
    recorded = []
    monkeypatch.setattr(watcher, "start", lambda run, arguments: recorded.append((run.name, list(arguments))))
    return recorded


def labels(app):
    return [item.label for item in app.download_button]


def log_of(app):
    return next(item for item in app.expander if item.label == "Log")


def test_without_a_run_it_offers_to_run_the_pipeline(root):
    app = open_page("convert")
    assert "needs a trained network" in text_of(app)
    assert button(app, "Run the pipeline")


def test_a_run_that_is_only_exported_can_be_converted(root, finished_run, commands):
    run = copy_of(finished_run, root)
    run.discard("convert/native")
    app = open_page("convert")
    assert "Not made yet: native has not converted this run." in text_of(app)
    assert app.expander[0].proto.expanded, "the settings are all that there is"
    app.select_slider[0].set_value(100)
    app.number_input[0].set_value(7).run()
    button(app, "Convert").click().run()
    assert not app.exception
    assert commands == [(run.name, ["convert", "--calibration-size", "100", "--calibration-seed", "7"])]


@pytest.mark.slow
def test_layout_and_int8_inputs_can_be_chosen_if_the_converter_supports_them(root, finished_run, commands):
    run = copy_of(finished_run, root)
    app = open_page("convert")
    boxes = {box.key: box for box in app.selectbox}
    boxes["layout"].set_value("nhwc")
    boxes["int8_inputs"].set_value("uint8")
    button(app, "Convert again").click().run()
    assert commands == [(run.name, ["convert", "--layout", "nhwc", "--int8-inputs", "uint8"])]
    boxes["converter"].set_value("onnx-tf").run()
    assert not app.exception
    assert next(box for box in app.selectbox if box.key == "layout").disabled


@pytest.mark.slow
def test_channels_last_shapes_and_uint8_inputs_are_shown(root, finished_run):
    run = copy_of(finished_run, root)
    path = run.path / "convert/native"
    signature = json.loads((path / "signature.json").read_text())
    signature["inputs"][0].update(shape=[None, 28, 28, 1], perm=[0, 2, 3, 1], int8="uint8")
    (path / "signature.json").write_text(json.dumps(signature))
    record = json.loads((path / "stage.json").read_text())
    record["config"]["layout"] = "nhwc"
    (path / "stage.json").write_text(json.dumps(record))
    app = open_page("convert")
    assert not app.exception
    signature = app.dataframe[-1].value
    assert list(signature["Shape"]) == ["batch × 28 × 28 × 1", "batch × 10"]
    assert list(signature["Type"]) == ["float32, uint8 in the int8 file", "float32"]
    assert button(app, "Convert with onnx-tf too")


def test_a_finished_run_shows_sizes_signature_nodes_and_snippets(root, finished_run):
    run = copy_of(finished_run, root)
    app = open_page("convert")
    assert button(app, "Convert again")
    nodes, ops, sizes, signature = (table.value for table in app.dataframe)
    assert list(sizes["File"])[:4] == ["model.safetensors", "model.onnx", "saved_model/", "frozen.pb"]
    assert list(signature["Shape"]) == ["batch × 1 × 28 × 28", "batch × 10"]
    assert list(signature["TensorFlow name"]) == ["input", "logits"]
    entries = json.loads((run.path / "convert/native/nodes.json").read_text())
    assert list(nodes["ONNX node"]) == [node["name"] for node in entries]
    assert [list(names) for names in nodes["TensorFlow ops"]] == [
        [op["type"] for op in node["ops"]] for node in entries
    ]
    assert list(ops["TensorFlow op"]) == [op["name"] for node in entries for op in node["ops"]]
    assert [item.value for item in app.code] == [text.rstrip() for text in snippets.snippets(run).values()]
    assert [tab.label for tab in app.tabs] == [
        "ONNX",
        "SavedModel",
        "Frozen graph",
        "LiteRT float32",
        "LiteRT float16",
        "LiteRT int8",
    ]


def test_artifacts_can_be_downloaded_one_by_one_and_as_a_zip(root, finished_run):
    copy_of(finished_run, root)
    assert labels(open_page("convert")) == [
        "Download nodes.json",
        "Download all as one zip",
        "Download model.onnx",
        "Download saved_model.zip",
        "Download frozen.pb",
        "Download model.fp32.tflite",
        "Download model.fp16.tflite",
        "Download model.int8.tflite",
        "Download signature.json",
    ]


def test_the_verdict_stands_first_and_the_settings_are_folded(root, finished_run):
    run = copy_of(finished_run, root)
    app = open_page("convert")
    result = run.require("convert/native").result
    assert app.success[0].value == (
        f"{result['onnx_nodes']} ONNX nodes became {result['tensorflow_ops']} TensorFlow ops, no transposes; "
        f"5 files, {sum(result['sizes'].values()) / 1e6:.1f} MB."
    )
    kinds = ("success", "dataframe", "download_button", "selectbox")
    assert list(dict.fromkeys(item.type for item in app.main if item.type in kinds)) == list(kinds)
    assert not next(item for item in app.expander if item.label == "Settings").proto.expanded


def test_two_conversions_can_be_shown_in_turn(root, finished_run):
    run = copy_of(finished_run, root)
    shutil.copytree(run.path / "convert/native", run.path / "convert/onnx-tf")
    app = open_page("convert")
    assert len(app.success) == 1
    assert "Convert with onnx-tf too" not in [item.label for item in app.button]
    app.selectbox(key="converter").set_value("onnx-tf").run()
    assert not app.exception
    assert run.state("compare").state == "fresh", "the comparison of the first conversion stands"


def test_many_nodes_can_be_filtered_by_op(root, finished_run):
    run = copy_of(finished_run, root)
    path = run.path / "convert/native/nodes.json"
    path.write_text(json.dumps(3 * json.loads(path.read_text())))
    app = open_page("convert")
    app.multiselect(key="onnx-ops").set_value(["Gemm"]).run()
    assert not app.exception
    assert [op.split("-")[0] for op in app.dataframe[0].value["ONNX op"]] == 3 * ["Gemm"]
    assert "MatMul" in list(app.dataframe[1].value["Type"])
    assert "Conv2D" not in list(app.dataframe[1].value["Type"])


def test_a_stale_conversion_is_marked_as_out_of_date_and_still_shown(root, finished_run):
    run = copy_of(finished_run, root)
    (run.path / "train/model.safetensors").write_bytes(b"other")
    app = open_page("convert")
    assert "This is out of date" in text_of(app)
    assert button(app, "Bring up to date")
    assert len(app.dataframe) == 4


@pytest.mark.slow
def test_a_missing_artifact_is_named(root, finished_run):
    run = copy_of(finished_run, root)
    (run.path / "convert/native/frozen.pb").unlink()
    app = open_page("convert")
    assert "frozen.pb is missing" in text_of(app)
    assert button(app, "Convert again")


@pytest.mark.slow
def test_the_log_of_a_successful_conversion_is_shown(root, finished_run):
    run = copy_of(finished_run, root)
    with open_job(run, "convert") as job:
        (job.folder / "log.txt").write_text("a <b>warning</b>\n")
    with open_job(run, "compare") as job:
        (job.folder / "log.txt").write_text("log of another command\n")
    app = open_page("convert")
    app.session_state["conversion-log"] = True
    app.run()
    assert [item.value for item in log_of(app).code] == ["a <b>warning</b>"]


@pytest.mark.slow
def test_a_failed_conversion_shows_reason_hint_and_log_once(root, finished_run):
    run = copy_of(finished_run, root)
    with pytest.raises(ConversionError), open_job(run, "convert") as job:
        (job.folder / "log.txt").write_text("trace\n")
        raise ConversionError("onnx-tf fails at node 'x'", "export it anew")
    app = open_page("convert")
    assert "onnx-tf fails at node 'x'" in text_of(app)
    assert "export it anew" in text_of(app)
    assert [item.label for item in app.expander].count("Log") == 1
    assert len(app.dataframe) == 4  # the previous conversion is still shown


@pytest.mark.slow
def test_a_running_conversion_shows_its_log_and_only_a_stop_button(root, finished_run):
    run = copy_of(finished_run, root)
    events = ("StageStarted(stage='convert')", "Progress(label='writing TFLite fp16', done=4, total=6)")
    with running_job(run, "convert", *events):
        app = open_page("convert")
        assert "convert" in text_of(app)
        assert button(app, "Stop")
        assert not app.download_button
        assert [item.label for item in app.main.button] == ["Stop"]
        (next(iter(run.path.glob("jobs/*"))) / "log.txt").write_text("output so far\n")
        app.session_state["conversion-log"] = True
        app.run()
        assert [item.value for item in log_of(app).code] == ["output so far"]


@pytest.mark.slow
def test_a_damaged_record_is_explained(root, finished_run):
    run = copy_of(finished_run, root)
    (run.path / "convert/native/stage.json").write_text("{")
    app = open_page("convert")
    assert "stage.json is damaged" in text_of(app)
    assert Run.open(run.path).state("convert/native").state == "stale"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("nodes.json", '[{"name": "a"}]'),
        ("nodes.json", "7"),
        ("signature.json", '{"inputs": [{"onnx": 3}], "outputs": []}'),
    ],
)
def test_a_damaged_description_is_explained(root, finished_run, name, content):
    run = copy_of(finished_run, root)
    (run.path / "convert/native" / name).write_text(content)
    assert f"{name} is damaged" in text_of(open_page("convert"))
