"""ONNX Runtime as the reference matches onnx.reference, even where it could fuse nodes to int8."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto as T
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from convnet_core.benchmark.measure import measure
from convnet_core.config.stages import BenchmarkConfig
from convnet_core.dissect.probes.onnxruntime import OnnxRuntimeProbe
from convnet_core.onnx_files.input_bounds import inputs_with_bounds
from convnet_core.runtimes.onnxruntime import OnnxRuntime
from convnet_core.runtimes.registry import Source


def node(op, inputs, output, **attributes):
    return helper.make_node(op, inputs.split(), [output], **attributes)


@pytest.fixture(scope="module")
def quantized():
    """A Conv and a MatMul between QuantizeLinear and DequantizeLinear, with weights quantized per channel."""
    rng = np.random.default_rng(0)
    nodes = [
        node("QuantizeLinear", "x xs xz", "q"),
        node("DequantizeLinear", "q xs xz", "dx"),
        node("DequantizeLinear", "w ws", "dw", axis=0),
        node("Conv", "dx dw", "c"),
        node("QuantizeLinear", "c cs xz", "qc"),
        node("DequantizeLinear", "qc cs xz", "dc"),
        node("Flatten", "dc", "f"),
        node("DequantizeLinear", "v vs", "dv", axis=1),
        node("MatMul", "f dv", "y"),
    ]
    weights = {
        "xs": np.float32(0.02),
        "xz": np.uint8(128),
        "cs": np.float32(0.05),
        "w": rng.integers(-127, 127, (4, 3, 3, 3)).astype(np.int8),
        "ws": rng.uniform(0.001, 0.01, 4).astype(np.float32),
        "v": rng.integers(-127, 127, (64, 5)).astype(np.int8),
        "vs": rng.uniform(0.001, 0.01, 5).astype(np.float32),
    }
    initializers = [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()]
    x = helper.make_tensor_value_info("x", T.FLOAT, ["n", 3, 6, 6])
    y = helper.make_tensor_value_info("y", T.FLOAT, ["n", 5])
    graph = helper.make_graph(nodes, "g", [x], [y], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)


X = np.random.default_rng(1).standard_normal((16, 3, 6, 6)).astype(np.float32)


def test_reference_runtime_matches_onnx_reference(quantized, tmp_path):
    onnx.save(quantized, tmp_path / "m.onnx")
    (expected,) = ReferenceEvaluator(quantized).run(None, {"x": X})
    np.testing.assert_allclose(OnnxRuntime(tmp_path / "m.onnx").infer({"x": X})["y"], expected, rtol=1e-5, atol=1e-5)


def test_dissection_probe_matches_onnx_reference(quantized):
    (expected,) = ReferenceEvaluator(quantized).run(None, {"x": X})
    np.testing.assert_allclose(OnnxRuntimeProbe(quantized).values({"x": X})["y"], expected, rtol=1e-5, atol=1e-5)


def test_benchmark_inputs_respect_the_bounds_of_the_graph(tmp_path):
    ids = helper.make_tensor_value_info("ids", T.INT64, ["n", 3])
    y = helper.make_tensor_value_info("y", T.FLOAT, ["n", 3, 4])
    table = numpy_helper.from_array(np.ones((1, 4), np.float32), "table")
    graph = helper.make_graph([node("Gather", "table ids", "y")], "g", [ids], [y], [table])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    onnx.save(model, tmp_path / "m.onnx")
    source = Source("onnxruntime", None, (), 0, lambda: None, lambda: OnnxRuntime(tmp_path / "m.onnx"))
    config = BenchmarkConfig(batch_sizes=(1,), seconds=0.01, warmup=0)
    bounds = {info.name: info.bounds for info in inputs_with_bounds(model)}
    assert not list(measure(source, config, bounds))[-1].faults
    assert "out of data bounds" in list(measure(source, config))[-1].faults
