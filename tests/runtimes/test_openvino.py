"""OpenVINO, an optional runtime; most tests are skipped if it is not installed."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from convnet_core import doctor
from convnet_core.benchmark.measure import measure
from convnet_core.config.stages import BenchmarkConfig, CompareConfig
from convnet_core.errors import InputsError, ModelError
from convnet_core.events import Monitor
from convnet_core.runtimes.registry import sources
from convnet_core.runtimes.specs import OPENVINO, available
from convnet_core.stages.compare import run_compare
from tests.conftest import copy_of

INSTALLED = OPENVINO.version is not None
needs_openvino = pytest.mark.skipif(not INSTALLED, reason="OpenVINO is not installed")


def save_model(folder, nodes, dtype=TensorProto.FLOAT, initializers=()):
    x, y = (helper.make_tensor_value_info(name, dtype, ["n", 4]) for name in "xy")
    model = helper.make_model(
        helper.make_graph(nodes, "g", [x], [y], initializers), opset_imports=[helper.make_opsetid("", 18)], ir_version=9
    )
    onnx.save(model, folder / "model.onnx")
    return folder / "model.onnx"


def test_openvino_is_available_only_if_installed_and_doctor_reports_it():
    assert (OPENVINO in available()) == INSTALLED
    (check,) = [check for check in doctor.examine() if check.name == "OpenVINO"]
    assert check.ok
    assert check.detail == OPENVINO.version if INSTALLED else "not installed" in check.detail


@needs_openvino
def test_openvino_computes_in_float32(tmp_path):
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((4, 4)).astype(np.float32)
    initializer = helper.make_tensor("w", TensorProto.FLOAT, weights.shape, weights.ravel())
    path = save_model(tmp_path, [helper.make_node("MatMul", ["x", "w"], ["y"])], initializers=[initializer])
    x = rng.standard_normal((50, 4)).astype(np.float32)
    with OPENVINO.open(path, None, 1) as runtime:
        answer = runtime.infer({"x": x})["y"]
    exact = x.astype(np.float64) @ weights
    assert np.abs(answer - exact).max() < 1e-6 * np.ptp(exact)  # bfloat16 would give only three digits


@needs_openvino
def test_unsupported_models_and_inputs_are_clear_errors(tmp_path):
    text = save_model(tmp_path, [helper.make_node("Identity", ["x"], ["y"])], TensorProto.STRING)
    with OPENVINO.open(text, None, 1) as runtime, pytest.raises(InputsError):
        runtime.infer({"x": np.array([list("abcd")], object)})
    unknown = save_model(tmp_path, [helper.make_node("Unknown", ["x"], ["y"], domain="unknown.domain")])
    with pytest.raises(ModelError, match="OpenVINO cannot load"):
        OPENVINO.open(unknown, None, 1)


@needs_openvino
def test_a_run_is_compared_and_benchmarked_with_openvino(finished_run, tmp_path):
    run = copy_of(finished_run, tmp_path)
    comparison = run_compare(run, CompareConfig(batch_sizes=(1, 7), samples=20), Monitor())
    (line,) = [line for line in comparison.runtimes if line.name == "openvino"]
    assert line.judged
    assert line.passed
    assert line.max_abs_error < 1e-4
    assert run.record("compare").versions["openvino"] == OPENVINO.version
    source = next(source for source in sources(run) if source.name == "openvino")
    *_, speed = measure(source, BenchmarkConfig(batch_sizes=(1,), seconds=0.01))
    assert not speed.faults
    assert speed.latency.median_ms > 0
