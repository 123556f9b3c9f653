"""The pages with an imported model: upload, inputs, unsupported nodes, pages that need a digit network."""

import dataclasses

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from convnet_core.common.files import write_json
from convnet_core.config.stages import CompareConfig, ConvertConfig
from convnet_core.errors import ModelError
from convnet_core.events import Monitor
from convnet_core.jobs import upload, watcher
from convnet_core.jobs.job import open_job
from convnet_core.jobs.watcher import JobView
from convnet_core.onnx_files.model_file import open_file
from convnet_core.runs.run import Run
from convnet_core.stages.compare import run_compare
from convnet_core.stages.convert import run_convert
from convnet_core.stages.import_onnx import run_import_onnx
from convnet_core.tensors.model_inputs import InputSpec
from tests.conftest import copy_of
from tests.pages.conftest import button, open_page, states, text_of

FLAGS = ["--shape", "word ids=1,7", "--range", "word ids=0,5"]


def table_of_words(op="Gather", domain=""):
    """A model int64 [n, length] → table rows float32 [n, length, 4] and the maximum of each row [n, length]."""
    nodes = [
        helper.make_node(op, ["table", "word ids"], ["rows"], "look up", domain=domain),
        helper.make_node("ReduceMax", ["rows", "axis"], ["most"], "most", keepdims=0),
    ]
    ports = [
        helper.make_tensor_value_info("word ids", TensorProto.INT64, ["n", "length"]),
        helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["n", "length", 4]),
        helper.make_tensor_value_info("most", TensorProto.FLOAT, ["n", "length"]),
    ]
    weights = [
        numpy_helper.from_array(np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32), "table"),
        numpy_helper.from_array(np.array([2]), "axis"),
    ]
    opsets = [helper.make_opsetid("", 20), *([helper.make_opsetid(domain, 1)] if domain else [])]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], weights)
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def import_model(folder, model):
    run = Run.create(folder / "words", kind="model")
    onnx.save(model, folder / "words.onnx")
    run_import_onnx(run, open_file(folder / "words.onnx"), Monitor())
    return run


@pytest.fixture(scope="module")
def compared_run(tmp_path_factory):
    """An imported model, converted and compared on chosen inputs. Copy it before writing to it."""
    run = import_model(tmp_path_factory.mktemp("model"), table_of_words())
    chosen = InputSpec(shapes={"word ids": (1, 7)}, ranges={"word ids": (0, 5)})
    run_convert(run, ConvertConfig(calibration_size=4), Monitor(), input_spec=chosen)
    run_compare(run, CompareConfig(samples=8, batch_sizes=(1, 2)), Monitor(), input_spec=chosen)
    return run


@pytest.fixture
def commands(monkeypatch):
    """The commands that the page starts, recorded instead of run: (run name, arguments)."""
    recorded = []
    monkeypatch.setattr(watcher, "start", lambda run, arguments: recorded.append((run.name, list(arguments))))
    return recorded


def test_an_uploaded_file_becomes_a_run_with_an_upload_job(root, commands):
    app = open_page()
    app.file_uploader[0].set_value(("../word<b>.onnx", table_of_words().SerializeToString(), "")).run()
    ((name, arguments),) = commands
    assert name.endswith("-word-b")
    assert arguments[:2] == ["upload", "--onnx"]
    assert onnx.load(arguments[2]).graph.name == "g"
    assert (root / name / "run.json").is_file()


def test_an_empty_file_is_refused_without_a_job(root, commands):
    app = open_page()
    app.file_uploader[0].set_value(("none.onnx", b"", "")).run()
    assert "none.onnx is an empty file" in text_of(app)
    assert not commands
    assert not list(root.iterdir())


def test_a_refused_upload_shows_its_reason_and_leaves_no_run(root, commands):
    run, _ = upload.receive(root, "bad.onnx", memoryview(b"x"))
    with pytest.raises(ModelError), open_job(run, "upload"):
        raise ModelError("bad.onnx is not an ONNX model", "upload another")
    app = open_page()
    assert "bad.onnx is not an ONNX model" in text_of(app)
    assert "upload another" in text_of(app)
    assert not [path for path in root.iterdir() if not path.name.startswith(".")]
    assert "bad.onnx" in text_of(app.run()), "a rerun without user action keeps the message"
    assert "bad.onnx" not in text_of(button(app, "Run the pipeline").click().run())


@pytest.mark.slow
def test_a_killed_upload_is_shown_as_died(root):
    run, _ = upload.receive(root, "large.onnx", memoryview(b"x"))
    with open_job(run, "upload") as job:
        running = JobView(job.folder).info
    write_json(job.folder / "job.json", dataclasses.asdict(running))
    assert "died" in text_of(open_page())
    assert not [path for path in root.iterdir() if not path.name.startswith(".")]


def test_home_leads_from_a_new_model_to_its_comparison(root, commands):
    import_model(root, table_of_words())
    app = open_page()
    assert states(app) == ["up to date", "not made yet", "not made yet"]
    button(app, "Convert and compare").click().run()
    assert commands == [("words", ["refresh"])]


@pytest.mark.parametrize("name", ["data", "train", "sketchpad"])
def test_digit_pages_ask_for_a_digit_network(root, compared_run, name):
    copy_of(compared_run, root)
    assert "a network that reads digits" in text_of(open_page(name))


def test_export_lists_inputs_and_outputs(root, compared_run):
    copy_of(compared_run, root)
    app = open_page("export")
    assert "Imported model" in text_of(app)
    table = app.dataframe[0].value
    assert list(table["Name"]) == ["word ids", "rows", "most"]
    assert list(table["Shape"]) == ["[n, length]", "[n, length, 4]", "[n, length]"]


def test_convert_lists_all_unsupported_nodes(root, commands):
    import_model(root, table_of_words("Foo", "com.example"))
    assert "does not support this model" in text_of(open_page())
    app = open_page("convert")
    assert "does not support 1 node" in text_of(app)
    assert list(app.dataframe[0].value["Cannot be converted"]) == ["com.example.Foo-1 (node 'look up')"]


def test_chosen_inputs_are_kept_for_the_next_conversion(root, compared_run, commands):
    run = copy_of(compared_run, root)
    app = open_page("convert")
    assert {item.label: item.value for item in app.number_input[1:]} == {"length": 7, "lowest": 0, "highest": 5}
    button(app, "Convert again").click().run()
    assert commands.pop() == (run.name, ["convert", "--calibration-size", "64", *FLAGS])
    button(app, "Convert with onnx-tf too").click().run()
    arguments = commands.pop()[1]
    assert arguments[:3] == ["convert", "--converter", "onnx-tf"]
    assert arguments[-4:] == FLAGS


def test_compare_shows_every_output_and_accepts_new_inputs(root, compared_run, commands):
    run = copy_of(compared_run, root)
    app = open_page("compare")
    assert "litert-fp16 and litert-int8 were not judged (no labels)." in text_of(app)
    assert set(app.dataframe[1].value["Output"]) == {"rows", "most"}
    next(item for item in app.number_input if item.label == "highest").set_value(3)
    button(app, "Compare again").click().run()
    assert not app.exception
    name, arguments = commands.pop()
    assert name == run.name
    assert arguments[-4:] == [*FLAGS[:2], "--range", "word ids=0,3"]


@pytest.mark.slow
def test_refresh_reuses_the_chosen_inputs(root, compared_run):
    from convnet_core.stages.refresh import run_refresh

    run = copy_of(compared_run, root)
    before = run.require("compare").result["inputs"]
    run.discard("convert/native")
    assert run_refresh(run, Monitor()) == ["convert/native", "compare"]
    assert run.require("compare").result["inputs"] == before
    assert run.require("convert/native").result["inputs"] == before
