"""Models unlike a batch of images: each goes through convert, compare and benchmark."""

import json
import zipfile

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from convnet_core.artifacts.pack import pack
from convnet_core.benchmark.measure import measure
from convnet_core.compare.differences import Key, difference
from convnet_core.config.stages import BenchmarkConfig, CompareConfig, ConvertConfig
from convnet_core.errors import ConfigError, ModelError
from convnet_core.events import Monitor
from convnet_core.onnx_files.model_file import inputs, load, open_file, open_untrusted
from convnet_core.runs.run import Run
from convnet_core.runtimes.registry import sources
from convnet_core.stages.compare import run_compare
from convnet_core.stages.convert import run_convert
from convnet_core.stages.import_onnx import run_import_onnx
from convnet_core.tensors.model_inputs import InputSpec
from convnet_core.tensors.model_inputs import fingerprint as feeds_fingerprint
from tests.support.marks import few_quick

T = TensorProto
ODD = {
    # name: nodes, inputs (dtype, shape), outputs
    "no batch": ([("MatMul", "a b", "y")], {"a": (T.FLOAT, [3, 4]), "b": (T.FLOAT, [4, 2])}, {"y": (T.FLOAT, [3, 2])}),
    "scalars": ([("Add", "a b", "y")], {"a": (T.FLOAT, []), "b": (T.FLOAT, [])}, {"y": (T.FLOAT, [])}),
    "a scalar next to a batch": (
        [("Mul", "a b", "y")],
        {"a": (T.FLOAT, ["n", 3]), "b": (T.FLOAT, [])},
        {"y": (T.FLOAT, ["n", 3])},
    ),
    "integers and booleans": (
        [("Add", "a a", "s"), ("And", "b b", "t")],
        {"a": (T.INT64, ["n", 3]), "b": (T.BOOL, ["n", 2])},
        {"s": (T.INT64, ["n", 3]), "t": (T.BOOL, ["n", 2])},
    ),
    "float16": ([("Relu", "a", "y")], {"a": (T.FLOAT16, ["n", 3])}, {"y": (T.FLOAT16, ["n", 3])}),
    "float64": ([("Add", "a a", "y")], {"a": (T.DOUBLE, ["n", 3])}, {"y": (T.DOUBLE, ["n", 3])}),
    "strings": ([("Identity", "a", "y")], {"a": (T.STRING, ["n", 2])}, {"y": (T.STRING, ["n", 2])}),
    "a size of zero": ([("Relu", "a", "y")], {"a": (T.FLOAT, ["n", 0])}, {"y": (T.FLOAT, ["n", 0])}),
    "an empty batch": ([("Relu", "a", "y")], {"a": (T.FLOAT, [0, 3])}, {"y": (T.FLOAT, [0, 3])}),
    "a maximum over the batch": (
        [("Sum", "a a", "s"), ("ReduceMax", "s", "y")],
        {"a": (T.FLOAT, ["n", 3])},
        {"y": (T.FLOAT, [1, 1])},
    ),
    "a named dimension that is not the batch": (
        [("MatMul", "a b", "y")],
        {"a": (T.FLOAT, ["n", "s"]), "b": (T.FLOAT, ["s", 4])},
        {"y": (T.FLOAT, ["n", 4])},
    ),
    "shared dimension names": (
        [("Mul", "a b", "y")],
        {"a": (T.FLOAT, ["n", "seq", 2]), "b": (T.FLOAT, ["n", "seq", 1])},
        {"y": (T.FLOAT, ["n", "seq", 2])},
    ),
}


def save_odd(name, path):
    nodes, input_types, output_types = ODD[name]
    ports = [
        [helper.make_tensor_value_info(n, *type_and_shape) for n, type_and_shape in side.items()]
        for side in (input_types, output_types)
    ]
    node_protos = [helper.make_node(op, i.split(), [o], f"node {o}") for op, i, o in nodes]
    graph = helper.make_graph(node_protos, "odd", *ports)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    return path


@pytest.mark.parametrize(
    "name", few_quick(ODD, "no batch", "integers and booleans", "strings", "shared dimension names")
)
def test_an_odd_model_is_converted_compared_and_measured(name, tmp_path):
    run, monitor = Run.create(tmp_path / "run", kind="model"), Monitor()
    run_import_onnx(run, open_file(save_odd(name, tmp_path / "odd.onnx")), monitor)
    converted = run_convert(run, ConvertConfig(calibration_size=2), monitor)
    assert "saved_model" in converted.sizes
    comparison = run_compare(run, CompareConfig(samples=3, batch_sizes=(1, 2)), monitor)
    lines = {line.name: line for line in comparison.runtimes}
    wrong = {line.name: line.reason for line in lines.values() if not line.passed}
    right = {"onnxruntime", "onnxruntime-optimized", "tensorflow", "tensorflow-frozen"}
    if name != "an empty batch":  # LiteRT 2.3 has no empty tensors: "Invalid tensor size"
        right.add("litert-fp32")
    assert right.isdisjoint(wrong), wrong
    config = BenchmarkConfig(batch_sizes=(1,), seconds=0.01, warmup=0)
    for source in sources(run)[:3]:
        speed = list(measure(source, config))[-1]
        assert not speed.fault, speed.fault
        measured = [timing for timing in speed.timings if "only accepts batches of 0" not in timing.fault]
        assert measured
        assert all(timing.median_ms and not timing.fault for timing in measured)
    json.dumps(json.loads((run.path / "compare/report.json").read_text()), allow_nan=False)


def test_a_shape_from_the_user_applies_to_every_input_with_that_dimension_name(tmp_path):
    infos = inputs(load(save_odd("shared dimension names", tmp_path / "odd.onnx")))
    samples = InputSpec(shapes={"a": (4, 7, 2)}).samples(infos, 2, 0)
    assert {name: array.shape for name, array in samples.items()} == {"a": (2, 7, 2), "b": (2, 7, 1)}
    np.save(tmp_path / "a.npy", np.zeros((3, 5, 2), np.float32))
    samples = InputSpec(files={"a": str(tmp_path / "a.npy")}).samples(infos, 2, 0)
    assert samples["b"].shape == (3, 5, 1)


def test_a_dimension_name_must_have_one_size(tmp_path):
    infos = inputs(load(save_odd("shared dimension names", tmp_path / "odd.onnx")))
    with pytest.raises(ConfigError, match="'seq' must have one size in all inputs, not 7 and 5"):
        InputSpec(shapes={"a": (4, 7, 2), "b": (4, 5, 1)}).apply_shapes(infos)


def test_a_shape_from_the_user_does_not_change_the_number_of_samples(tmp_path):
    infos = inputs(load(save_odd("shared dimension names", tmp_path / "odd.onnx")))
    assert InputSpec(shapes={"a": (1, 7, 2)}).samples(infos, 64, 0)["a"].shape == (64, 7, 2)


def test_the_fingerprint_of_strings_depends_only_on_their_characters():
    words = {"a": np.array(["one", "two"], object)}
    assert feeds_fingerprint(words) == feeds_fingerprint({"a": np.array(["".join("one"), "tw" + "o"], object)})
    assert feeds_fingerprint(words) != feeds_fingerprint({"a": np.array(["one", "six"], object)})


def test_integers_must_be_equal():
    key = Key("tensorflow", "native", "drawn", 1, "y")
    expected = np.array([[10**17], [5]])
    result = difference(key, expected + np.array([[1], [0]]), expected)
    assert result.max_abs.tolist() == [1, 0]
    assert result.scale.tolist() == [0, 0]


def save_with_external_weights(path, location):
    """Save a model whose weights are in the file `location`, which is not written."""
    weights = numpy_helper.from_array(np.ones(4, np.float32), "w")
    onnx.external_data_helper.set_external_data(weights, location)
    weights.ClearField("raw_data")
    ports = [[helper.make_tensor_value_info(name, T.FLOAT, [4])] for name in "ay"]
    graph = helper.make_graph([helper.make_node("Mul", ["a", "w"], ["y"])], "odd", *ports, [weights])
    path.write_bytes(helper.make_model(graph, ir_version=10).SerializeToString())
    return path


def test_weights_outside_the_models_folder_are_refused(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    np.ones(4, np.float32).tofile(tmp_path / "w.data")
    (folder / "link.data").symlink_to(tmp_path / "w.data")
    for location in ("../w.data", str(tmp_path / "w.data"), "link.data"):
        with pytest.raises(ModelError, match="in the model's folder"):
            load(save_with_external_weights(folder / "odd.onnx", location))


def test_a_missing_weights_file_is_named(tmp_path):
    for call in (load, open_file):
        with pytest.raises(ModelError, match=r"stores weights in .w\.data., which does not exist"):
            call(save_with_external_weights(tmp_path / "odd.onnx", "w.data"))


def test_external_weights_of_functions_are_refused_too(tmp_path):
    secret = numpy_helper.from_array(np.zeros(16, np.uint8), "w")
    onnx.external_data_helper.set_external_data(secret, "secret.txt")
    secret.ClearField("raw_data")
    function = helper.make_function(
        "custom",
        "Leak",
        [],
        ["y"],
        [helper.make_node("Constant", [], ["y"], value=secret)],
        [helper.make_opsetid("", 20)],
    )
    ports = [helper.make_tensor_value_info("a", T.FLOAT, [1]), helper.make_tensor_value_info("y", T.UINT8, [16])]
    graph = helper.make_graph([helper.make_node("Leak", [], ["y"], domain="custom")], "odd", ports[:1], ports[1:])
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("custom", 1)]
    model = helper.make_model(graph, functions=[function], opset_imports=opsets, ir_version=10)
    (tmp_path / "odd.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match=r"stores weights in another file \('secret\.txt'\)"):
        open_untrusted(tmp_path / "odd.onnx")
    with pytest.raises(ModelError, match=r"'secret\.txt', which does not exist"):
        load(tmp_path / "odd.onnx")


def test_a_model_too_large_for_one_file_has_a_weights_file(tmp_path, monkeypatch):
    """Later stages go stale when the weights file changes, and the zip includes it."""
    monkeypatch.setattr("convnet_core.onnx_files.model_file.ONE_FILE", 0)
    run = Run.create(tmp_path / "run", kind="model")
    np.ones(4, np.float32).tofile(tmp_path / "w.data")
    large_model = save_with_external_weights(tmp_path / "odd.onnx", "w.data")
    _, model = run_import_onnx(run, open_file(large_model), Monitor())
    assert (run.path / "export/model.data").is_file()
    assert numpy_helper.to_array(model.proto.graph.initializer[0]).tolist() == [1] * 4  # still in memory
    assert run_convert(run, ConvertConfig(calibration_size=2), Monitor(), model=model).failed == {}
    assert run_compare(run, CompareConfig(samples=3, batch_sizes=(4,)), Monitor()).verdict == "agree"
    with zipfile.ZipFile(pack_to(run, tmp_path / "all.zip")) as zipped:
        assert any(name.endswith("export/model.data") for name in zipped.namelist())
    np.full(4, 2, np.float32).tofile(tmp_path / "w.data")
    run_import_onnx(run, open_file(large_model), Monitor())
    assert run.state("convert/native").state == "stale"


def pack_to(run, path):
    with path.open("wb") as file:
        pack(run, file)
    return path


def test_the_fingerprint_covers_the_weights_in_other_files(tmp_path):
    path = save_with_external_weights(tmp_path / "odd.onnx", "w.data")
    np.ones(4, np.float32).tofile(tmp_path / "w.data")
    before = open_file(path).fingerprint()
    assert numpy_helper.to_array(load(path).graph.initializer[0]).tolist() == [1] * 4
    np.full(5, 2, np.float32).tofile(tmp_path / "w.data")
    assert open_file(path).fingerprint() != before


def test_a_frozen_graph_over_its_limit_is_recorded_and_the_rest_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr("convnet_core.convert.targets.frozen_graph.MAX_BYTES", 0)
    run = Run.create(tmp_path / "run", kind="model")
    _, model = run_import_onnx(run, open_file(save_odd("float64", tmp_path / "odd.onnx")), Monitor())
    converted = run_convert(run, ConvertConfig(calibration_size=2), Monitor(), model=model)
    assert "2 GB" in converted.failed["frozen.pb"]
    assert "saved_model" in converted.sizes
    assert "tensorflow-frozen" not in {source.name for source in sources(run)}
