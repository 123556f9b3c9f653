"""Recurrent layers, compared with ONNX Runtime: cases that ONNX's node tests leave out."""

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from testing.node_tests import trace

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
SIZE, FEATURES, BATCH = 5, 3, 4
ALL = ("B", "lengths", "initial_h", "initial_c", "P")


def layer(op, steps, uses, *, static=False, **attributes):
    """A one-layer model with random weights, and its inputs; the number of steps is dynamic unless `static`."""
    rng = np.random.default_rng(0)
    directions = 2 if attributes.get("direction") == "bidirectional" else 1
    values = {
        name: rng.normal(size=shape, scale=0.7).astype(np.float32)
        for name, shape in {
            "X": (steps, BATCH, FEATURES),
            "W": (directions, GATES[op] * SIZE, FEATURES),
            "R": (directions, GATES[op] * SIZE, SIZE),
            "B": (directions, 2 * GATES[op] * SIZE),
            "initial_h": (directions, BATCH, SIZE),
            "initial_c": (directions, BATCH, SIZE),
            "P": (directions, 3 * SIZE),
        }.items()
    }
    values["lengths"] = np.array([steps, 1, max(steps // 2, 1), steps], np.int32)
    names = ["X", "W", "R", "B", "lengths", "initial_h", *(["initial_c", "P"] if op == "LSTM" else [])]
    inputs = [name if name in ("X", "W", "R", *uses) else "" for name in names]
    outputs = ["Y", "Y_h", "Y_c"][: 3 if op == "LSTM" else 2]
    shapes = {"X": [steps if static else "t", "n", FEATURES], "lengths": ["n"]}
    input_names = [name for name in inputs if name in ("X", "lengths", "initial_h", "initial_c")]
    graph = helper.make_graph(
        [helper.make_node(op, inputs, outputs, hidden_size=SIZE, **attributes)],
        "layer",
        [
            helper.make_tensor_value_info(
                name,
                TensorProto.INT32 if name == "lengths" else TensorProto.FLOAT,
                shapes.get(name, [directions, "n", SIZE]),
            )
            for name in input_names
        ],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(values[name], name) for name in inputs if name and name not in input_names],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    return model, {name: values[name] for name in input_names}


def assert_agrees(model, feeds):
    expected = onnxruntime.InferenceSession(model.SerializeToString()).run(None, feeds)
    for result, value in zip(trace(model)(*feeds.values()), expected, strict=True):
        np.testing.assert_allclose(result, value, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("op", GATES)
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("uses", [pytest.param((), id="plain", marks=pytest.mark.slow), pytest.param(ALL, id="all")])
def test_directions_states_and_lengths(op, direction, uses):
    assert_agrees(*layer(op, 7, uses, direction=direction))


@pytest.mark.parametrize("op", GATES)
@pytest.mark.parametrize("steps", [1, 9, 40])
def test_a_known_number_of_steps(op, steps):
    """A few steps are unrolled; many become a loop."""
    assert_agrees(*layer(op, steps, ("B",), static=True, direction="bidirectional"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("op", "attributes"),
    [
        ("RNN", {"clip": 0.3, "activations": ["Softsign"]}),
        ("GRU", {"clip": 0.3, "linear_before_reset": 1}),
        ("GRU", {"activations": ["HardSigmoid", "LeakyRelu"], "activation_alpha": [0.3, 0.02]}),
        ("LSTM", {"clip": 0.3}),
        ("LSTM", {"input_forget": 1}),
        ("LSTM", {"activations": ["Sigmoid", "Affine", "ScaledTanh"], "activation_alpha": [1.2, 0.8],
                  "activation_beta": [0.1, 0.7]}),
        ("LSTM", {"activations": ["HardSigmoid", "Softplus", "Elu"], "activation_beta": [0.4]}),
    ],
)  # fmt: skip
def test_attributes(op, attributes):
    assert_agrees(*layer(op, 6, ALL, **attributes))


@pytest.mark.slow
@pytest.mark.parametrize("op", GATES)
@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
def test_a_sequence_without_a_step_ends_in_zeros_whatever_its_initial_state(op, direction):
    model, feeds = layer(op, 3, ALL, direction=direction)
    assert_agrees(model, {**feeds, "lengths": np.array([0, 3, 1, 0], np.int32)})
