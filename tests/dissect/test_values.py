"""The value of every tensor in every runtime, against onnx.reference: no runtime is its own witness."""

import sys

import numpy as np
import onnx
import onnx.helper
import onnx.numpy_helper
import pytest
from onnx.reference import ReferenceEvaluator

from convnet_core.config.stages import ConvertConfig, DissectConfig
from convnet_core.dissect.case import Case
from convnet_core.dissect.dissection import dissect
from convnet_core.dissect.probes.float64 import Float64Probe, to_float64
from convnet_core.dissect.probes.litert import LiteRTProbe
from convnet_core.dissect.probes.onnxruntime import OnnxRuntimeProbe, expose_outputs
from convnet_core.dissect.probes.pytorch import PyTorchProbe
from convnet_core.dissect.probes.tensorflow import TensorFlowProbe
from convnet_core.errors import ConversionError
from convnet_core.runtimes.specs import LITERT_FP32
from tests.dissect.networks import case, networks
from tests.support.marks import few_quick


def reference(model, feeds):
    """Every tensor by onnx.reference."""
    evaluator = ReferenceEvaluator(expose_outputs(model))
    return dict(zip(evaluator.output_names, evaluator.run(None, feeds), strict=True))


def numeric(values):
    return {name for name, array in values.items() if array.dtype.kind == "f" and array.size}


@pytest.fixture(scope="module", params=few_quick(networks(), "convnet"))
def made(request, tmp_path_factory):
    return case(request.param, tmp_path_factory.mktemp("dissect") / request.param)


def assert_same(got, expected, names, part=1e-5):
    for name in names:
        assert got[name].shape == expected[name].shape, name
        scale = np.ptp(expected[name]) or np.abs(expected[name]).max() or 1
        assert np.abs(got[name] - expected[name]).max() <= part * scale, name


def test_every_node_has_its_value_in_every_float_runtime(made):
    expected = reference(made.model, made.samples)
    names = numeric(expected)
    nodes = {node.output[0] for node in made.model.graph.node} & names
    probes = [
        OnnxRuntimeProbe(made.model),
        PyTorchProbe(made.program, made.model),
        TensorFlowProbe(made.folder, made.entries, made.model),
    ]
    for probe in probes:
        values = probe.values(made.samples)
        assert nodes <= set(values), (probe.name, nodes - set(values))
        assert_same(values, expected, names & set(values))
        probe.close()


def test_what_litert_shows_is_right_and_more_than_the_output(made):
    expected = reference(made.model, made.samples)
    values = LiteRTProbe(made.folder, LITERT_FP32, made.entries).values(made.samples)
    seen = {name for name in numeric(values) & set(expected) if values[name].shape == expected[name].shape}
    assert len(seen) > len(made.model.graph.output)
    assert_same(values, expected, seen)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="onnx-tf needs Python 3.11")
def test_a_tensor_whose_ops_were_exchanged_is_not_taken_for_another(tmp_path):
    """onnx-tf transposes after each convolution, and TFLite moves the activation before it."""
    made = case("deep", tmp_path / "onnx-tf", ConvertConfig(converter="onnx-tf"))
    expected = reference(made.model, made.samples)
    for probe in (
        TensorFlowProbe(made.folder, made.entries, made.model),
        LiteRTProbe(made.folder, LITERT_FP32, made.entries),
    ):
        values = probe.values(made.samples)
        assert made.model.graph.output[0].name in values
        seen = numeric(expected) & set(values)
        assert_same(values, expected, {name for name in seen if values[name].shape == expected[name].shape})
        probe.close()


def test_float64_is_what_the_reference_gives_in_float64(made):
    feeds = {name: array.astype(np.float64) for name, array in made.samples.items()}
    expected = reference(to_float64(made.model), feeds)
    values = Float64Probe(made.model).values(made.samples)
    names = numeric(expected) & set(values)
    assert {made.model.graph.output[0].name} <= names
    assert all(values[name].dtype == np.float64 for name in names)
    assert_same(values, expected, names, part=1e-7)  # onnx.reference computes Erf in float32


def of_one_node(op, inputs, output, weights=(), opset=16):
    ports = [onnx.helper.make_tensor_value_info(*item) for item in (*inputs, ("y", output, None))]
    names = [*(name for name, *_ in inputs), *(tensor.name for tensor in weights)]
    graph = onnx.helper.make_graph([onnx.helper.make_node(op, names, ["y"])], "g", ports[:-1], ports[-1:], weights)
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=9)


def test_what_tensorflow_has_only_in_float32_is_taken_apart(tmp_path):
    model = of_one_node("Upsample", [("x", 1, [1, 1, 2, 2]), ("scales", 1, [4])], 1, opset=9)
    feeds = {"x": np.ones((1, 1, 2, 2), np.float32), "scales": np.array([1, 1, 2, 2], np.float32)}
    with pytest.raises(ConversionError):
        Float64Probe(model).values(feeds)
    onnx.save(model, tmp_path / "model.onnx")
    found = dissect(Case(tmp_path / "model.onnx", None, None, feeds, feeds, frozenset()), DissectConfig(), print)
    assert [node.output for node in found.nodes] == ["y"]


def test_boxes_are_chosen_in_float64_too():
    most = onnx.numpy_helper.from_array(np.array([2]), "most")
    model = of_one_node("NonMaxSuppression", [("boxes", 1, [1, 3, 4]), ("scores", 1, [1, 1, 3])], 7, [most])
    boxes = np.array([[[0, 0, 1, 1], [2, 2, 3, 3], [4, 4, 5, 5]]], np.float32)
    values = Float64Probe(model).values({"boxes": boxes, "scores": np.array([[[0.1, 0.3, 0.2]]], np.float32)})
    np.testing.assert_array_equal(values["y"], [[0, 0, 1], [0, 0, 2]])


def test_a_node_alone_gives_what_the_reference_makes_of_the_same_inputs(made):
    expected = {**made.samples, **reference(made.model, made.samples)}
    asked, names = 0, [name for node in made.model.graph.node for name in node.output[:1] if name in numeric(expected)]
    for probe in (
        OnnxRuntimeProbe(made.model),
        PyTorchProbe(made.program, made.model),
        TensorFlowProbe(made.folder, made.entries, made.model),
    ):
        for name in names:
            if (alone := probe.alone(name, expected)) is not None:
                assert_same(alone, expected, [name])
                asked += 1
        probe.close()
    assert asked == 3 * len(names)


def test_every_node_became_something(made):
    for entry in made.entries:
        assert entry.ops or entry.became in ("constant", "layout", "part"), entry.name
        assert entry.became != "part" or entry.of, entry.name


def test_channels_last_borders_are_known(tmp_path):
    made = case("residual", tmp_path / "nhwc", ConvertConfig(layout="nhwc"))
    expected = reference(made.model, made.samples)
    probe = TensorFlowProbe(made.folder, made.entries, made.model)
    values = probe.values(made.samples)
    assert_same(values, expected, numeric(expected) & set(values))
    probe.close()
