"""Every snippet runs as printed, uses the model's input and output names, and matches ONNX's reference."""

import json
import runpy
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from convnet_core.artifacts import artifact, snippets
from convnet_core.config.stages import ConvertConfig
from convnet_core.convert.convert import convert
from convnet_core.convert.loaded_model import LoadedModel
from convnet_core.convert.signature import Port, Signature
from convnet_core.errors import ConfigError, ModelError, RunError
from convnet_core.events import Monitor
from convnet_core.runs.run import Run
from tests.conftest import convnet, copy_of

TOLERANCES = {"model.fp16.tflite": 2e-3, "model.int8.tflite": 0.1}
"""Relative to the largest output; 1e-5 for all other artifacts."""

_RUN_ALL = """
import contextlib, io, json, os, sys
import numpy as np
results = {}
for path, folder, code in json.load(sys.stdin):
    os.chdir(folder)
    names, printed = {}, io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, path, "exec"), names)
    arrays = {side: {name: [str(value.dtype), value.tolist()] for name, value in names[side].items()}
              for side in ("feeds", "answers")}
    results[path] = [printed.getvalue(), arrays["feeds"], arrays["answers"]]
assert "convnet_core" not in sys.modules
print(json.dumps(results))
"""


def run_all(run):
    """Run every snippet in one fresh interpreter that cannot import this project.

    Returns a dictionary: artifact -> (printed text, feeds, answers).
    """
    texts = snippets.snippets(run)
    work = [[item.path, str(run.path / item.stage), text] for item, text in texts.items()]
    done = subprocess.run(
        [sys.executable, "-I", "-c", _RUN_ALL], input=json.dumps(work), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    output = json.loads(done.stdout.splitlines()[-1])
    results = {}
    for item in texts:
        printed, *sides = output[item.path]
        results[item] = (
            printed,
            *({name: np.array(value, dtype) for name, (dtype, value) in side.items()} for side in sides),
        )
    return results


def assert_snippets_match_the_reference(run):
    results = run_all(run)
    assert [item.name for item in results] == ["model.onnx", "saved_model", "frozen.pb", *artifact_names("litert")]
    reference = ReferenceEvaluator(onnx.load(run.path / "export/model.onnx"))
    signature = Signature.load(run.path / "convert/native")
    for item, (printed, feeds, answers) in results.items():
        naming = "onnx" if item.kind == "onnx" else "tensorflow"
        assert list(feeds) == [getattr(port, naming) for port in signature.inputs]
        assert list(answers) == [getattr(port, naming) for port in signature.outputs]
        for port, array in zip(signature.inputs, feeds.values(), strict=True):
            assert array.dtype == port.dtype
            assert array.shape == tuple(size or 2 for size in port.shape)
        expected = reference.run(None, dict(zip((port.onnx for port in signature.inputs), feeds.values(), strict=True)))
        for name, answer, truth in zip(answers, answers.values(), expected, strict=True):
            limit = TOLERANCES.get(item.name, 1e-5) * np.abs(truth).max()
            assert answer.shape == truth.shape
            if item.name == "model.int8.tflite":  # int8 saturates at its calibration range, which noise exceeds
                truth = truth.clip(answer.min(), answer.max())
            assert np.abs(answer - truth).max() <= limit, item.name
            assert f"{name} {answer.dtype} {answer.shape}\n{answer}" in printed


def artifact_names(kind):
    return [name for name, (item_kind, *_) in artifact._DESCRIPTIONS.items() if item_kind == kind]


def value_info(name, shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


@pytest.fixture(scope="module")
def odd_run(tmp_path_factory, trained_run):
    """A model without images, with two input types and names that TensorFlow refuses: x:0 = input.1 * class + 1.

    Requests trained_run so that training runs first: torch's optimizers import triton, which crashes the process
    if TensorFlow is already imported.
    """
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["class"], ["scale"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["input.1", "scale"], ["product"]),
            helper.make_node("Add", ["product", "1"], ["x:0"]),
        ],
        "odd",
        [value_info("input.1", ["n", 3]), value_info("class", ["n", 1], TensorProto.INT32), value_info("1", ["n", 3])],
        [value_info("x:0", ["n", 3])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    run = Run.create(tmp_path_factory.mktemp("odd") / "run", kind="model")
    with run.write_stage("export", {}) as draft:
        onnx.save(model, draft.path / "model.onnx")
    rng = np.random.default_rng(0)
    calibration = {
        "input.1": rng.random((50, 3), np.float32),
        "class": rng.integers(0, 2, (50, 1), np.int32),
        "1": rng.random((50, 3), np.float32),
    }
    with run.write_stage("convert/native", {}, ("export/model.onnx",)) as draft:
        convert(LoadedModel(model), draft.path, ConvertConfig(), calibration, Monitor())
    return run


def test_snippets_of_a_digit_run_match_the_reference(finished_run):
    assert_snippets_match_the_reference(finished_run)


def test_snippets_use_the_names_types_and_shapes_of_an_imported_model(odd_run):
    assert_snippets_match_the_reference(odd_run)


def test_snippet_feeds_have_the_model_shapes_with_example_dynamic_sizes(finished_run, tmp_path):
    """The batch is 2; other dynamic sizes are large enough for a network that shrinks them."""
    ports = [
        Port("ids", "ids", "int64", (None, None)),
        Port("flag", "flag", "bool", ()),
        Port("fixed", "fixed", "float16", (3, 5)),
        Port('say "a"\\', "say__a__", "float32", (None, 7)),
    ]
    signature = Signature(tuple(ports), (Port("y", "y", "float32", (None,)),))
    for name in ("model.onnx", "frozen.pb"):
        code = snippets.snippet(artifact.find(finished_run, name), signature)
        feeds_code = code[code.index("random =") : code.index("outputs =")]
        (tmp_path / "feeds.py").write_text(f"import numpy as np\n{feeds_code}")
        feeds = runpy.run_path(str(tmp_path / "feeds.py"))["feeds"]
        assert list(feeds) == [port.onnx if name == "model.onnx" else port.tensorflow for port in ports]
        assert [str(array.dtype) for array in feeds.values()] == ["int64", "bool", "float16", "float32"]
        assert [array.shape for array in feeds.values()] == [(2, 64), (), (3, 5), (2, 7)]
        first, _, third, _ = feeds.values()
        assert set(first.flat) == {0, 1}  # integer inputs may be table indices, so they stay small
        assert 0 <= third.min() < third.max() <= 1


@pytest.mark.slow
def test_command_prints_one_or_all_snippets(finished_run):
    texts = {item.path: text for item, text in snippets.snippets(finished_run).items()}
    assert json.loads(convnet("snippet", "--run", finished_run.path, "--json").stdout) == texts
    one = convnet("snippet", "--run", finished_run.path, "--artefact", "model.int8.tflite").stdout
    assert one.strip() == texts["convert/native/model.int8.tflite"].strip()
    assert all(text in convnet("snippet", "--run", finished_run.path).stdout for text in texts.values())


def test_artifacts_without_a_snippet_are_refused_with_a_reason(finished_run, tmp_path):
    with pytest.raises(ConfigError, match=r"nodes\.json is not a model"):
        snippets.snippets(finished_run, artifact.find(finished_run, "nodes.json"))
    with pytest.raises(ConfigError, match="has no artifact 'model'") as caught:
        artifact.find(finished_run, "model")
    assert "export/model.onnx" in caught.value.hint
    run = copy_of(finished_run, tmp_path)
    saved_model = artifact.find(run, "convert/native/saved_model")
    (run.path / "convert/native/signature.json").write_text("{}")
    with pytest.raises(ModelError, match=r"signature\.json is damaged"):
        snippets.snippets(run, saved_model)
    (run.path / "convert/native/saved_model/saved_model.pb").unlink()
    with pytest.raises(RunError, match=r"saved_model\.pb is missing"):
        snippets.snippets(run, saved_model)
