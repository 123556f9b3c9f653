"""Random integer inputs stay in the range that a model accepts: ONNX Runtime runs each model on every sample."""

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto as T
from onnx import helper, numpy_helper

from convnet_core.onnx_files.input_bounds import inputs_with_bounds
from convnet_core.tensors.arrays import example_feeds, fixed_batch, zeros

RNG = np.random.default_rng(0)
TABLE = {"table": RNG.standard_normal((5, 4)).astype(np.float32)}


def node(op, inputs, outputs=("y",), **attributes):
    return helper.make_node(op, list(inputs), list(outputs), **attributes)


def model(nodes, inputs, weights=None, output=T.FLOAT, opset=18):
    ports = [helper.make_tensor_value_info(name, dtype, shape) for name, (dtype, shape) in inputs.items()]
    initializers = [numpy_helper.from_array(np.asarray(value), name) for name, value in (weights or {}).items()]
    graph = helper.make_graph(nodes, "g", ports, [helper.make_tensor_value_info("y", output, None)], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)


def draw_feeds(proto):
    """Random inputs of a model, after ONNX Runtime has run the model on them and on zeros."""
    infos = inputs_with_bounds(proto)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    feeds = example_feeds(infos, fixed_batch(infos) or 16, np.random.default_rng(0))
    for arrays in (feeds, zeros(infos, feeds)):
        session.run(None, arrays)
    return feeds


def gate_weights(gates, hidden=3, size=4):
    return {
        "w": RNG.standard_normal((1, gates * hidden, size)).astype(np.float32),
        "r": RNG.standard_normal((1, gates * hidden, hidden)).astype(np.float32),
    }


IDS = {"ids": (T.INT64, ["n", 3])}
SEQUENCE = {"x": (T.FLOAT, ["seq", 2, 4]), "len": (T.INT32, [2])}
MODELS = {
    "Gather": (model([node("Gather", ["table", "ids"])], IDS, TABLE), "ids", 0, 4),
    "a table of one row": (
        model([node("Gather", ["one", "ids"])], IDS, {"one": np.ones((1, 4), np.float32)}),
        "ids",
        0,
        0,
    ),
    "along another axis": (model([node("Gather", ["table", "ids"], axis=1)], IDS, TABLE), "ids", 0, 3),
    "through Cast, Reshape and Unsqueeze": (
        model(
            [
                node("Cast", ["ids"], ["wide"], to=T.INT64),
                node("Reshape", ["wide", "flat"], ["row"]),
                node("Unsqueeze", ["row", "first"], ["column"]),
                node("Gather", ["table", "column"]),
            ],
            {"ids": (T.INT32, ["n", 3])},
            TABLE | {"flat": np.int64([-1]), "first": np.int64([0])},
        ),
        "ids",
        0,
        4,
    ),
    "an offset is subtracted": (
        model(
            [node("Sub", ["ids", "ten"], ["less"]), node("Gather", ["table", "less"])],
            IDS,
            TABLE | {"ten": np.int64(10)},
        ),
        "ids",
        10,
        14,
    ),
    "an offset is added by a Constant": (
        model(
            [
                node("Constant", [], ["two"], value=numpy_helper.from_array(np.int64([2]))),
                node("Add", ["two", "ids"], ["more"]),
                node("Gather", ["table", "more"]),
            ],
            IDS,
            TABLE,
        ),
        "ids",
        -2,
        2,
    ),
    "float ids": (
        model(
            [node("Cast", ["ids"], ["whole"], to=T.INT64), node("Gather", ["table", "whole"])],
            {"ids": (T.FLOAT, ["n", 3])},
            TABLE,
        ),
        "ids",
        0,
        4,
    ),
    "GatherElements": (
        model([node("GatherElements", ["table", "ids"], axis=0)], {"ids": (T.INT64, [5, 4])}, TABLE),
        "ids",
        0,
        4,
    ),
    "two tables, the smaller one counts": (
        model(
            [
                node("Gather", ["table", "ids"], ["a"]),
                node("Gather", ["small", "ids"], ["b"]),
                node("Add", ["a", "b"]),
            ],
            IDS,
            TABLE | {"small": np.ones((2, 4), np.float32)},
        ),
        "ids",
        0,
        1,
    ),
    "the size of another input": (
        model([node("Gather", ["x", "ids"], axis=1)], {"x": (T.FLOAT, ["n", "length"]), "ids": (T.INT64, [3])}),
        "ids",
        0,
        63,
    ),
    "OneHot": (
        model([node("OneHot", ["ids", "depth", "values"])], IDS, {"depth": np.int64(6), "values": np.float32([0, 1])}),
        "ids",
        0,
        5,
    ),
    "ReverseSequence": (
        model(
            [node("ReverseSequence", ["x", "len"], time_axis=1, batch_axis=0)],
            {"x": (T.FLOAT, ["n", 9, 4]), "len": (T.INT64, ["n"])},
        ),
        "len",
        1,
        9,
    ),
    "k of TopK": (
        model([node("TopK", ["x", "k"], ["y", "i"])], {"x": (T.FLOAT, ["n", 7]), "k": (T.INT64, [1])}),
        "k",
        1,
        7,
    ),
    "a divisor": (
        model([node("Div", ["x", "d"])], {"x": (T.INT32, ["n", 3]), "d": (T.INT32, ["n", 3])}, output=T.INT32),
        "d",
        1,
        4,
    ),
    "a divisor of 8 bits": (
        model([node("Mod", ["x", "d"])], {"x": (T.UINT8, ["n", 3]), "d": (T.UINT8, ["n", 3])}, output=T.UINT8),
        "d",
        1,
        4,
    ),
    "the target of Reshape": (
        model([node("Reshape", ["x", "shape"])], {"x": (T.FLOAT, ["n", 3, 4]), "shape": (T.INT64, [3])}),
        "shape",
        0,
        0,
    ),
    "repeats of Tile": (model([node("Tile", ["x", "k"])], {"x": (T.FLOAT, ["n", 3]), "k": (T.INT64, [2])}), "k", 1, 2),
    **{
        f"lengths of {op}": (
            model([node(op, ["x", "w", "r", "", "len"], hidden_size=3)], SEQUENCE, gate_weights(gates)),
            "len",
            1,
            64,
        )
        for op, gates in (("LSTM", 4), ("GRU", 3), ("RNN", 1))
    },
}


@pytest.mark.parametrize("name", MODELS)
def test_random_values_are_accepted(name):
    proto, input_name, low, high = MODELS[name]
    values = draw_feeds(proto)[input_name]
    assert low <= values.min() <= values.max() <= high
    if values.size > 2:
        assert (values.min() < values.max()) == (low < high)


def test_indices_of_several_dimensions_have_separate_bounds():
    proto = model(
        [node("GatherND", ["table", "ids"])], {"ids": (T.INT64, ["n", 8, 2])}, {"table": np.ones((2, 50), np.float32)}
    )
    indices = draw_feeds(proto)["ids"]
    assert indices.max(axis=(0, 1)).tolist()[0] == 1
    assert 30 < indices[..., 1].max() < 50


def test_sequence_lengths_are_drawn_up_to_the_sequence_size():
    proto = model([node("LSTM", ["x", "w", "r", "", "len"], hidden_size=3)], SEQUENCE, gate_weights(4))
    feeds = draw_feeds(proto)
    assert feeds["x"].shape == (64, 2, 4)
    assert feeds["len"].max() > 1


def test_a_node_inside_a_branch_bounds_a_model_input():
    inner = helper.make_graph(
        [node("Gather", ["table", "ids"], ["b"])], "branch", [], [helper.make_tensor_value_info("b", T.FLOAT, None)]
    )
    proto = model(
        [node("If", ["always"], then_branch=inner, else_branch=inner)], IDS, TABLE | {"always": np.bool_(True)}
    )
    assert draw_feeds(proto)["ids"].max() == 4


def test_a_bounded_scalar_stays_a_scalar():
    values = {"values": np.array([0, 1], np.float32)}
    proto = model([node("OneHot", ["ids", "depth", "values"])], IDS | {"depth": (T.INT64, [])}, values)
    infos = inputs_with_bounds(proto)
    assert zeros(infos, draw_feeds(proto))["depth"].shape == ()


def test_an_input_that_is_only_computed_with_has_no_bounds():
    proto = model([node("Mul", ["ids", "ids"], ["square"]), node("Add", ["square", "square"])], IDS, output=T.INT64)
    assert inputs_with_bounds(proto)[0].bounds is None
