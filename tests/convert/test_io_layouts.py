"""What artefacts take and give where that is not ONNX's: channels last, and whole numbers in the int8 file."""

import runpy

import numpy as np
import onnx
import pytest
from ai_edge_litert.interpreter import Interpreter
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from convnet_core.artifacts import snippets
from convnet_core.benchmark.measure import measure
from convnet_core.config.stages import BenchmarkConfig, ConvertConfig
from convnet_core.convert.signature import Signature
from convnet_core.errors import ConfigError, DataError
from convnet_core.events import Monitor
from convnet_core.runs.run import Run
from convnet_core.runtimes.registry import sources
from convnet_core.stages.convert import run_convert
from convnet_core.stages.import_onnx import run_import_onnx

LAST = (0, 2, 3, 1)
LIMITS = {"litert-fp16": 5e-3, "litert-int8": 0.05}
"""Of an output's range; 1e-5 for all others."""


def value(name, shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """An image and a place in a table become a map, a row of floats and a whole number; images are not square.

    Channels last; the int8 file takes uint8 and gives int8.
    """
    rng = np.random.default_rng(0)
    weights = {"kernel": (4, 2, 3, 3), "table": (5, 4)}
    arrays = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in weights.items()}
    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["c"], "conv", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["map"], "relu"),
        helper.make_node("GlobalAveragePool", ["map"], ["g"], "pool"),
        helper.make_node("Flatten", ["g"], ["f"], "flatten"),
        helper.make_node("Gather", ["table", "place"], ["row"], "look up"),
        helper.make_node("Add", ["f", "row"], ["sum"], "add"),
        helper.make_node("ArgMax", ["sum"], ["best"], "best", axis=1, keepdims=0),
    ]
    inputs = [value("image", ["n", 2, 8, 6]), value("place", ["n"], TensorProto.INT64)]
    outputs = [value("map", ["n", 4, 8, 6]), value("sum", ["n", 4]), value("best", ["n"], TensorProto.INT64)]
    graph = helper.make_graph(nodes, "g", inputs, outputs, [numpy_helper.from_array(a, n) for n, a in arrays.items()])
    folder = tmp_path_factory.mktemp("borders")
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), folder / "m.onnx")
    np.savez(folder / "samples.npz", **feeds(20), labels=np.arange(3))
    run = Run.create(folder / "run", kind="model")
    run_import_onnx(run, folder / "m.onnx", Monitor())
    config = ConvertConfig(layout="nhwc", int8_inputs="uint8", int8_outputs="int8")
    run_convert(run, config, Monitor(), samples=folder / "samples.npz")
    return run


def feeds(count):
    rng = np.random.default_rng(count)
    return {"image": rng.random((count, 2, 8, 6), np.float32), "place": rng.integers(0, 5, count)}


def expected(run, given):
    model = onnx.load(run.path / "export/model.onnx")
    return dict(zip(("map", "sum", "best"), ReferenceEvaluator(model).run(None, given), strict=True))


def assert_close(name, runtime, got, truth):
    assert (got.shape, got.dtype) == (truth.shape, truth.dtype)
    if name == "best":
        assert runtime == "litert-int8" or np.array_equal(got, truth)
    else:
        assert np.abs(got - truth).max() <= LIMITS.get(runtime, 1e-5) * np.ptp(truth), (name, runtime)


def test_runtimes_keep_to_onnx_whatever_the_artefact_takes(run):
    given = feeds(3)
    truth = expected(run, given)
    for source in sources(run):
        with source.open() as runtime:
            assert {info.name: info.shape for info in runtime.inputs} == {"image": (None, 2, 8, 6), "place": (None,)}
            for answers in (runtime.infer(given), runtime.infer(runtime.prepared(given))):
                for name, array in answers.items():
                    assert_close(name, source.name, array, truth[name])


def test_the_files_themselves_are_channels_last_and_take_whole_numbers(run):
    folder = run.path / "convert/native"
    runner = Interpreter(str(folder / "model.int8.tflite")).get_signature_runner("serving_default")
    takes, gives = runner.get_input_details(), runner.get_output_details()
    assert {name: item["dtype"] for name, item in takes.items()} == {"image": np.uint8, "place": np.int64}
    assert {name: item["dtype"] for name, item in gives.items()} == {"map": np.int8, "sum": np.int8, "best": np.int64}
    assert takes["image"]["shape"].tolist() == [1, 8, 6, 2]
    signature = Signature.load(folder)
    assert [port.perm for port in (*signature.inputs, *signature.outputs)] == [LAST, (), LAST, (), ()]
    assert [port.int8 for port in (*signature.inputs, *signature.outputs)] == ["uint8", "", "int8", "int8", ""]
    assert run.record("convert/native").result["transposes"] == 0


def test_snippets_feed_every_artefact_in_its_own_way(run, monkeypatch, tmp_path):
    signature = Signature.load(run.path / "convert/native")
    for item, code in snippets.snippets(run).items():
        path = tmp_path / snippets.file_name(item)
        path.write_text(code)
        monkeypatch.chdir(run.path / item.stage)
        made = runpy.run_path(str(path))
        runtime = f"litert-{item.name.split('.')[1]}" if item.kind == "litert" else item.kind
        turned = item.kind != "onnx"
        assert made["feeds"]["image"].shape == ((2, 8, 6, 2) if turned else (2, 2, 8, 6))
        given = {
            p.onnx: p.to_onnx(made["feeds"][p.onnx]) if turned else made["feeds"][p.onnx] for p in signature.inputs
        }
        truth = expected(run, given)
        for port in signature.outputs:
            got = made["answers"][port.onnx]
            assert_close(port.onnx, runtime, port.to_onnx(got) if turned else got, truth[port.onnx])


def test_a_benchmark_measures_the_artefact_alone(run, monkeypatch):
    """The arrays that are timed have their values in the artefact's order, and are whole numbers for the int8 file."""
    from convnet_core.runtimes.litert import LiteRT

    seen = []
    infer = LiteRT.infer
    monkeypatch.setattr(LiteRT, "infer", lambda self, given: seen.append(given["image"]) or infer(self, given))
    source = next(item for item in sources(run) if item.name == "litert-int8")
    *_, speed = measure(source, BenchmarkConfig(batch_sizes=(1, 2), seconds=0.01))
    assert not speed.faults
    assert {array.dtype.name for array in seen} == {"uint8"}
    assert all(array.transpose(LAST).flags.c_contiguous for array in seen)
    assert speed.inputs["image"] == "float32 1 × 2 × 8 × 6"


def test_onnx_tf_has_no_other_layout():
    with pytest.raises(ConfigError, match="does not support the layout nhwc"):
        ConvertConfig(converter="onnx-tf", layout="nhwc")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"place": None}, r"no samples for the input 'place'"),
        ({"place": None, "image": None}, "no samples for the input 'image'"),
        (
            {"image": np.zeros((20, 2, 8, 6))},
            r"has float64 \[20, 2, 8, 6\] for the input 'image'.*float32 \[n, 2, 8, 6\]",
        ),
        ({"image": np.zeros((20, 8, 6, 2), np.float32)}, r"has float32 \[20, 8, 6, 2\]"),
        ({"image": np.zeros((2, 8, 6), np.float32)}, r"has float32 \[2, 8, 6\]"),
        ({"place": np.zeros(3, np.int64)}, "different numbers of samples: 20 of 'image', 3 of 'place'"),
        ({"image": np.zeros((0, 2, 8, 6), np.float32)}, "its array is empty"),
    ],
)
def test_wrong_calibration_samples_are_refused_before_anything_is_made(run, tmp_path, changed, said):
    arrays = {name: array for name, array in {**feeds(20), **changed}.items() if array is not None}
    np.savez(tmp_path / "samples.npz", **arrays)
    before = (run.path / "convert/native/stage.json").read_bytes()
    with pytest.raises(DataError, match=said):
        run_convert(run, ConvertConfig(), Monitor(), samples=tmp_path / "samples.npz")
    assert (run.path / "convert/native/stage.json").read_bytes() == before


def test_a_model_of_one_batch_size_is_calibrated_in_batches_of_it(run, tmp_path):
    model = onnx.load(run.path / "export/model.onnx")
    for port in (*model.graph.input, *model.graph.output):
        port.type.tensor_type.shape.dim[0].dim_value = 3
    onnx.save(model, tmp_path / "m.onnx")
    fixed = Run.create(tmp_path / "run", kind="model")
    run_import_onnx(fixed, tmp_path / "m.onnx", Monitor())
    np.savez(tmp_path / "two.npz", **feeds(2))
    with pytest.raises(DataError, match="has 2 samples, but the model takes batches of 3"):
        run_convert(fixed, ConvertConfig(), Monitor(), samples=tmp_path / "two.npz")
    np.savez(tmp_path / "seven.npz", **feeds(7))
    assert run_convert(fixed, ConvertConfig(), Monitor(), samples=tmp_path / "seven.npz").failed == {}
