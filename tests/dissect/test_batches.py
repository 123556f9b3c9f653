"""Batch sizes: wrong shapes, large errors, constants that explain them, models with a fixed batch."""

import numpy as np
import onnx
import onnx.numpy_helper

from convnet_core.dissect.answers import answer_in_fixed_batches
from convnet_core.dissect.checks import batch_sizes
from tests.dissect.test_models import dissect_model, model_of


def test_a_wrong_shape_or_a_large_error_at_one_batch_size_is_a_fault():
    def right(feeds):
        return feeds["x"] * np.float32(2)

    def frozen(feeds):
        return feeds["x"][:2] * np.float32(2)

    def lost(feeds):
        return right(feeds) * np.float32(0 if len(feeds["x"]) > 2 else 1)

    def always(feeds):
        return right(feeds) + np.float32(1)

    answers = {"onnxruntime": right, "frozen": frozen, "lost": lost, "always": always}
    x = np.arange(8, dtype=np.float32).reshape(4, 2)
    results = {
        (item.runtime, item.batch): item
        for item in batch_sizes.sweep(answers, {"x": x}, frozenset("x"), (2, 4), lambda *_: None)
    }
    assert "the output has the shape [2, 2], the ONNX model's has [4, 2]" in results["frozen", 4].fault
    assert "the output is off by" in results["lost", 4].fault
    assert not any(results[name, 2].fault for name in answers)
    assert not results["always", 4].fault, "this error does not depend on the batch"


def test_an_initial_state_for_one_sample_explains_a_failing_batch():
    weights = {"w": (1, 24, 3), "r": (1, 24, 6), "b": (1, 48), "h": (1, 1, 6), "c": (1, 1, 6)}
    model = model_of(
        [("LSTM", "a w r b  h c", "y", {"name": "cell", "hidden_size": 6})],
        {"a": (1, [4, "n", 3])},
        {"y": (1, [4, 1, "n", 6])},
        [onnx.numpy_helper.from_array(np.zeros(shape, np.float32), name) for name, shape in weights.items()],
    )
    model.graph.node[0].input[:] = ["a", "w", "r", "b", "", "h", "c"]
    results = [batch_sizes.BatchResult("litert-fp32", 1, (1,)), batch_sizes.BatchResult("litert-fp32", 2, (), "no")]
    (finding,) = batch_sizes.findings(results, model)
    assert (finding.kind, finding.node) == ("frozen-batch", "cell")
    assert "the second size of its initial state 'h', [1, 1, 6]" in finding.text


def test_a_model_with_a_fixed_batch_answers_any_number_of_samples():
    shapes = []

    def answer(feeds):
        shapes.append(feeds["x"].shape)
        return feeds["x"] + feeds["shared"]

    x, shared = np.arange(10.0).reshape(5, 2), np.ones(2)
    outputs = answer_in_fixed_batches(answer, 2, frozenset("x"))({"x": x, "shared": shared})
    assert np.array_equal(outputs, x + 1)
    assert shapes == [(2, 2)] * 3


def test_labels_and_worst_inputs_of_a_model_of_batch_one(tmp_path):
    w = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    model = model_of(
        [("MatMul", "a w", "y", {"name": "product"})],
        {"a": (1, [1, 4])},
        {"y": (1, [1, 3])},
        [onnx.numpy_helper.from_array(w, "w")],
    )
    content = dissect_model(model, tmp_path)
    assert content["findings"] == []
    assert content["labels"]["tensorflow"]["samples"] == 64
    assert {item["runtime"] for item in content["worst"]} >= {"tensorflow", "litert-fp32"}
