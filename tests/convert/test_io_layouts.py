"""Artifacts whose inputs and outputs differ from ONNX's: channels last, and integers in the int8 file."""

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
from convnet_core.onnx_files.model_file import open_file
from convnet_core.runs.run import Run
from convnet_core.runtimes.registry import sources
from convnet_core.stages.convert import run_convert
from convnet_core.stages.import_onnx import run_import_onnx

LAST = (0, 2, 3, 1)
LIMITS = {"litert-fp16": 5e-3, "litert-int8": 0.05}
"""Largest error as a fraction of an output's range; 1e-5 for the other runtimes."""


def value(name, shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A model that maps a non-square image and a table index to feature maps, a row of floats and an integer.

    Converted to channels last; the int8 file has uint8 inputs and int8 outputs.
    """
    rng = np.random.default_rng(0)
    weights = {"kernel": (4, 2, 3, 3), "table": (5, 4)}
    arrays = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in weights.items()}
    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["c"], "conv", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["map"], "relu"),
        helper.make_node("GlobalAveragePool", ["map"], ["g"], "pool"),
        helper.make_node("Flatten", ["g"], ["f"], "flatten"),
        helper.make_node("Gather", ["table", "index"], ["row"], "lookup"),
        helper.make_node("Add", ["f", "row"], ["sum"], "add"),
        helper.make_node("ArgMax", ["sum"], ["best"], "best", axis=1, keepdims=0),
    ]
    inputs = [value("image", ["n", 2, 8, 6]), value("index", ["n"], TensorProto.INT64)]
    outputs = [value("map", ["n", 4, 8, 6]), value("sum", ["n", 4]), value("best", ["n"], TensorProto.INT64)]
    graph = helper.make_graph(nodes, "g", inputs, outputs, [numpy_helper.from_array(a, n) for n, a in arrays.items()])
    folder = tmp_path_factory.mktemp("borders")
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), folder / "m.onnx")
    np.savez(folder / "samples.npz", **feeds(20), labels=np.arange(3))
    run = Run.create(folder / "run", kind="model")
    run_import_onnx(run, open_file(folder / "m.onnx"), Monitor())
    config = ConvertConfig(layout="nhwc", int8_inputs="uint8", int8_outputs="int8")
    run_convert(run, config, Monitor(), samples=folder / "samples.npz")
    return run


def feeds(count):
    rng = np.random.default_rng(count)
    return {"image": rng.random((count, 2, 8, 6), np.float32), "index": rng.integers(0, 5, count)}


def expected_outputs(run, inputs):
    model = onnx.load(run.path / "export/model.onnx")
    return dict(zip(("map", "sum", "best"), ReferenceEvaluator(model).run(None, inputs), strict=True))


def assert_close(name, runtime, array, expected):
    assert (array.shape, array.dtype) == (expected.shape, expected.dtype)
    if name == "best":
        assert runtime == "litert-int8" or np.array_equal(array, expected)
    else:
        assert np.abs(array - expected).max() <= LIMITS.get(runtime, 1e-5) * np.ptp(expected), (name, runtime)


def test_every_runtime_takes_and_returns_arrays_in_onnx_layout(run):
    samples = feeds(3)
    expected = expected_outputs(run, samples)
    for source in sources(run):
        with source.open() as runtime:
            assert {info.name: info.shape for info in runtime.inputs} == {"image": (None, 2, 8, 6), "index": (None,)}
            for answers in (runtime.infer(samples), runtime.infer(runtime.prepared(samples))):
                for name, array in answers.items():
                    assert_close(name, source.name, array, expected[name])


def test_the_files_are_channels_last_and_the_int8_file_takes_integers(run):
    folder = run.path / "convert/native"
    runner = Interpreter(str(folder / "model.int8.tflite")).get_signature_runner("serving_default")
    input_details, output_details = runner.get_input_details(), runner.get_output_details()
    assert {name: item["dtype"] for name, item in input_details.items()} == {"image": np.uint8, "index": np.int64}
    assert {name: item["dtype"] for name, item in output_details.items()} == {
        "map": np.int8,
        "sum": np.int8,
        "best": np.int64,
    }
    assert input_details["image"]["shape"].tolist() == [1, 8, 6, 2]
    signature = Signature.load(folder)
    assert [port.perm for port in (*signature.inputs, *signature.outputs)] == [LAST, (), LAST, (), ()]
    assert [port.int8 for port in (*signature.inputs, *signature.outputs)] == ["uint8", "", "int8", "int8", ""]
    assert run.record("convert/native").result["transposes"] == 0


def test_snippets_feed_each_artifact_in_its_layout(run, monkeypatch, tmp_path):
    signature = Signature.load(run.path / "convert/native")
    for item, code in snippets.snippets(run).items():
        path = tmp_path / snippets.file_name(item)
        path.write_text(code)
        monkeypatch.chdir(run.path / item.stage)
        variables = runpy.run_path(str(path))
        runtime = f"litert-{item.name.split('.')[1]}" if item.kind == "litert" else item.kind
        channels_last = item.kind != "onnx"
        assert variables["feeds"]["image"].shape == ((2, 8, 6, 2) if channels_last else (2, 2, 8, 6))
        samples = {
            p.onnx: p.to_onnx(variables["feeds"][p.onnx]) if channels_last else variables["feeds"][p.onnx]
            for p in signature.inputs
        }
        expected = expected_outputs(run, samples)
        for port in signature.outputs:
            array = variables["answers"][port.onnx]
            assert_close(port.onnx, runtime, port.to_onnx(array) if channels_last else array, expected[port.onnx])


def test_a_benchmark_does_not_time_the_change_of_layout(run, monkeypatch):
    """The timed arrays are already in the artifact's memory order, and integers for the int8 file."""
    from convnet_core.runtimes.litert import LiteRT

    timed_arrays = []
    infer = LiteRT.infer
    monkeypatch.setattr(
        LiteRT, "infer", lambda self, inputs: timed_arrays.append(inputs["image"]) or infer(self, inputs)
    )
    source = next(item for item in sources(run) if item.name == "litert-int8")
    *_, speed = measure(source, BenchmarkConfig(batch_sizes=(1, 2), seconds=0.01))
    assert not speed.faults
    assert {array.dtype.name for array in timed_arrays} == {"uint8"}
    assert all(array.transpose(LAST).flags.c_contiguous for array in timed_arrays)
    assert speed.inputs["image"] == "float32 1 × 2 × 8 × 6"


def test_onnx_tf_supports_only_nchw():
    with pytest.raises(ConfigError, match="does not support the layout nhwc"):
        ConvertConfig(converter="onnx-tf", layout="nhwc")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"index": None}, r"no samples for the input 'index'"),
        ({"index": None, "image": None}, "no samples for the input 'image'"),
        (
            {"image": np.zeros((20, 2, 8, 6))},
            r"has float64 \[20, 2, 8, 6\] for the input 'image'.*float32 \[n, 2, 8, 6\]",
        ),
        ({"image": np.zeros((20, 8, 6, 2), np.float32)}, r"has float32 \[20, 8, 6, 2\]"),
        ({"image": np.zeros((2, 8, 6), np.float32)}, r"has float32 \[2, 8, 6\]"),
        ({"index": np.zeros(3, np.int64)}, "different numbers of samples: 20 of 'image', 3 of 'index'"),
        ({"image": np.zeros((0, 2, 8, 6), np.float32)}, "its array is empty"),
    ],
)
def test_wrong_calibration_samples_are_refused_before_anything_is_written(run, tmp_path, changed, message):
    arrays = {name: array for name, array in {**feeds(20), **changed}.items() if array is not None}
    np.savez(tmp_path / "samples.npz", **arrays)
    before = (run.path / "convert/native/stage.json").read_bytes()
    with pytest.raises(DataError, match=message):
        run_convert(run, ConvertConfig(), Monitor(), samples=tmp_path / "samples.npz")
    assert (run.path / "convert/native/stage.json").read_bytes() == before


def test_a_model_with_a_fixed_batch_is_calibrated_in_batches_of_that_size(run, tmp_path):
    model = onnx.load(run.path / "export/model.onnx")
    for port in (*model.graph.input, *model.graph.output):
        port.type.tensor_type.shape.dim[0].dim_value = 3
    onnx.save(model, tmp_path / "m.onnx")
    fixed = Run.create(tmp_path / "run", kind="model")
    run_import_onnx(fixed, open_file(tmp_path / "m.onnx"), Monitor())
    np.savez(tmp_path / "two.npz", **feeds(2))
    with pytest.raises(DataError, match="has 2 samples, but the model takes batches of 3"):
        run_convert(fixed, ConvertConfig(), Monitor(), samples=tmp_path / "two.npz")
    np.savez(tmp_path / "seven.npz", **feeds(7))
    assert run_convert(fixed, ConvertConfig(), Monitor(), samples=tmp_path / "seven.npz").failed == {}
