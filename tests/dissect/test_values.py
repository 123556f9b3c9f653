"""The value of every tensor in every runtime, checked against onnx.reference, which is none of them."""

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
    """Compute every tensor with onnx.reference."""
    evaluator = ReferenceEvaluator(expose_outputs(model))
    return dict(zip(evaluator.output_names, evaluator.run(None, feeds), strict=True))


def numeric(values):
    return {name for name, array in values.items() if array.dtype.kind == "f" and array.size}


@pytest.fixture(scope="module", params=few_quick(networks(), "convnet"))
def example(request, tmp_path_factory):
    return case(request.param, tmp_path_factory.mktemp("dissect") / request.param)


def assert_same(got, expected, names, part=1e-5):
    for name in names:
        assert got[name].shape == expected[name].shape, name
        scale = np.ptp(expected[name]) or np.abs(expected[name]).max() or 1
        assert np.abs(got[name] - expected[name]).max() <= part * scale, name


def test_every_node_has_its_value_in_every_float_runtime(example):
    expected = reference(example.model, example.samples)
    names = numeric(expected)
    nodes = {node.output[0] for node in example.model.graph.node} & names
    probes = [
        OnnxRuntimeProbe(example.model),
        PyTorchProbe(example.program, example.model),
        TensorFlowProbe(example.folder, example.entries, example.model),
    ]
    for probe in probes:
        values = probe.values(example.samples)
        assert nodes <= set(values), (probe.name, nodes - set(values))
        assert_same(values, expected, names & set(values))
        probe.close()


def test_litert_values_are_right_and_go_beyond_the_outputs(example):
    expected = reference(example.model, example.samples)
    values = LiteRTProbe(example.folder, LITERT_FP32, example.entries).values(example.samples)
    common = {name for name in numeric(values) & set(expected) if values[name].shape == expected[name].shape}
    assert len(common) > len(example.model.graph.output)
    assert_same(values, expected, common)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="onnx-tf needs Python 3.11")
def test_a_tensor_with_reordered_ops_is_not_taken_for_another(tmp_path):
    """onnx-tf transposes after each convolution, and TFLite moves the activation before it."""
    example = case("deep", tmp_path / "onnx-tf", ConvertConfig(converter="onnx-tf"))
    expected = reference(example.model, example.samples)
    for probe in (
        TensorFlowProbe(example.folder, example.entries, example.model),
        LiteRTProbe(example.folder, LITERT_FP32, example.entries),
    ):
        values = probe.values(example.samples)
        assert example.model.graph.output[0].name in values
        common = numeric(expected) & set(values)
        assert_same(values, expected, {name for name in common if values[name].shape == expected[name].shape})
        probe.close()


def test_float64_values_match_the_reference_in_float64(example):
    feeds = {name: array.astype(np.float64) for name, array in example.samples.items()}
    expected = reference(to_float64(example.model), feeds)
    values = Float64Probe(example.model).values(example.samples)
    names = numeric(expected) & set(values)
    assert {example.model.graph.output[0].name} <= names
    assert all(values[name].dtype == np.float64 for name in names)
    assert_same(values, expected, names, part=1e-7)  # onnx.reference computes Erf in float32


def one_node_model(op, inputs, output, weights=(), opset=16):
    ports = [onnx.helper.make_tensor_value_info(*item) for item in (*inputs, ("y", output, None))]
    names = [*(name for name, *_ in inputs), *(tensor.name for tensor in weights)]
    graph = onnx.helper.make_graph([onnx.helper.make_node(op, names, ["y"])], "g", ports[:-1], ports[-1:], weights)
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=9)


def test_operators_that_tensorflow_has_only_in_float32_are_dissected(tmp_path):
    model = one_node_model("Upsample", [("x", 1, [1, 1, 2, 2]), ("scales", 1, [4])], 1, opset=9)
    feeds = {"x": np.ones((1, 1, 2, 2), np.float32), "scales": np.array([1, 1, 2, 2], np.float32)}
    with pytest.raises(ConversionError):
        Float64Probe(model).values(feeds)
    onnx.save(model, tmp_path / "model.onnx")
    dissection = dissect(Case(tmp_path / "model.onnx", None, None, feeds, feeds, frozenset()), DissectConfig(), print)
    assert [node.output for node in dissection.nodes] == ["y"]


def test_non_maximum_suppression_runs_in_float64():
    most = onnx.numpy_helper.from_array(np.array([2]), "most")
    model = one_node_model("NonMaxSuppression", [("boxes", 1, [1, 3, 4]), ("scores", 1, [1, 1, 3])], 7, [most])
    boxes = np.array([[[0, 0, 1, 1], [2, 2, 3, 3], [4, 4, 5, 5]]], np.float32)
    values = Float64Probe(model).values({"boxes": boxes, "scores": np.array([[[0.1, 0.3, 0.2]]], np.float32)})
    np.testing.assert_array_equal(values["y"], [[0, 0, 1], [0, 0, 2]])


def test_a_node_run_alone_matches_the_reference_on_the_same_inputs(example):
    expected = {**example.samples, **reference(example.model, example.samples)}
    compared = 0
    names = [name for node in example.model.graph.node for name in node.output[:1] if name in numeric(expected)]
    for probe in (
        OnnxRuntimeProbe(example.model),
        PyTorchProbe(example.program, example.model),
        TensorFlowProbe(example.folder, example.entries, example.model),
    ):
        for name in names:
            if (alone := probe.alone(name, expected)) is not None:
                assert_same(alone, expected, [name])
                compared += 1
        probe.close()
    assert compared == 3 * len(names)


def test_every_node_is_accounted_for_in_tensorflow(example):
    for entry in example.entries:
        assert entry.ops or entry.became in ("constant", "layout", "part"), entry.name
        assert entry.became != "part" or entry.of, entry.name


def test_values_are_found_in_a_channels_last_conversion(tmp_path):
    example = case("residual", tmp_path / "nhwc", ConvertConfig(layout="nhwc"))
    expected = reference(example.model, example.samples)
    probe = TensorFlowProbe(example.folder, example.entries, example.model)
    values = probe.values(example.samples)
    assert_same(values, expected, numeric(expected) & set(values))
    probe.close()
