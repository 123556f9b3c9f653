"""Partly known shapes, as exporters compute them: cases that ONNX's node tests leave out."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from testing.node_tests import run, trace

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def model(text, *inputs, opset=18, **constants):
    """A model with the output y and nodes written as "out = Op(in, in, attribute=value)"; inputs are (name, shape)."""
    nodes = [_node(line.strip()) for line in text.strip().splitlines()]
    return helper.make_model(
        helper.make_graph(
            nodes,
            "graph",
            [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in inputs],
            [helper.make_tensor_value_info("y", FLOAT, None)],
            [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=10,
    )


def _node(line):
    out, call = line.split(" = ", 1)
    op, rest = call.rstrip(")").split("(", 1)
    words = [word.strip() for word in rest.split(",") if word.strip()]
    attributes = {key: int(value) for key, value in (word.split("=") for word in words if "=" in word)}
    return helper.make_node(op, [word for word in words if "=" not in word], [out], **attributes)


def shape(model):
    return trace(model).outputs[0].shape.as_list()


SIZES = {"zero": np.int64(0), "one": np.int64(1), "two": np.int64(2), "first": np.int64([0])}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # as torch's exporter writes x.reshape(x.shape[0], x.shape[1] * x.shape[2], -1)
        (
            """
            s = Shape(x)
            a = Gather(s, zero)
            b = Gather(s, one)
            c = Gather(s, two)
            d = Mul(b, c)
            e = Unsqueeze(a, first)
            f = Unsqueeze(d, first)
            t = Concat(e, f, rest, axis=0)
            y = Reshape(x, t)
            """,
            [None, 84, 5],
        ),
        # a slice of the shape, cast to another integer dtype and back
        (
            """
            s = Shape(x)
            b = Slice(s, from0, to1)
            i = Cast(b, to=6)
            j = Cast(i, to=7)
            t = Concat(j, flat, axis=0)
            y = Reshape(x, t)
            """,
            [None, 420],
        ),
        # several sizes from one Shape node
        ("s = Shape(x, start=1, end=3)\nt = Concat(rest, s, axis=0)\ny = Reshape(x, t)", [None, 12, 7]),
        # a divided size, as when heads are split
        (
            """
            s = Shape(x)
            a = Gather(s, zero)
            b = Gather(s, one)
            h = Div(b, three)
            e = Unsqueeze(a, first)
            f = Unsqueeze(h, first)
            t = Concat(e, thrice, f, seven_five, axis=0)
            y = Reshape(x, t)
            """,
            [None, 3, 4, 7, 5],
        ),
        # a class token for each item, as the older exporter writes expand(n, -1, -1)
        (
            """
            s = Shape(x)
            a = Gather(s, first)
            t = Concat(a, minus, minus, axis=0)
            ones = ConstantOfShape(length)
            m = Equal(t, minus)
            w = Where(m, ones_i, t)
            y = Expand(token, w)
            """,
            [None, 1, 5],
        ),
    ],
)  # fmt: skip
def test_static_sizes_stay_known_beside_a_dynamic_one(text, expected):
    proto = model(
        text,
        ("x", ["n", 12, 7, 5]),
        **SIZES,
        rest=np.int64([-1]),
        flat=np.int64([-1]),
        minus=np.int64([-1]),
        from0=np.int64([0]),
        to1=np.int64([1]),
        three=np.int64(3),
        thrice=np.int64([3]),
        seven_five=np.int64([7, 5]),
        length=np.int64([3]),
        ones_i=np.int64([1, 1, 1]),
        token=np.zeros((1, 1, 5), np.float32),
    )
    assert shape(proto) == expected


def test_reshape_to_a_dynamic_shape():
    proto = model("s = Shape(x)\ny = Reshape(z, s)", ("x", ["a", "b"]), ("z", ["c"]))
    result = trace(proto)(np.zeros((2, 3), np.float32), np.arange(6, dtype=np.float32))
    np.testing.assert_array_equal(result[0], np.arange(6, dtype=np.float32).reshape(2, 3))


def test_zero_in_a_computed_target_keeps_the_dimension():
    """The model itself computes the 0."""
    proto = model("i = Cast(z, to=7)\ny = Reshape(x, i)", ("x", ["n", 6]), ("z", [3]))
    result = trace(proto)(np.zeros((4, 6), np.float32), np.float32([0, 3, 2]))
    assert result[0].shape == (4, 3, 2)


def test_an_equal_split_of_a_dynamic_size():
    graph = helper.make_graph(
        [helper.make_node("Split", ["x"], ["a", "b", "c"], axis=1, num_outputs=3)],
        "graph",
        [helper.make_tensor_value_info("x", FLOAT, ["n", "k"])],
        [helper.make_tensor_value_info(name, FLOAT, None) for name in "abc"],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    parts = trace(proto)(np.arange(14, dtype=np.float32).reshape(2, 7))
    assert [part.shape[1] for part in parts] == [3, 3, 1]
    np.testing.assert_array_equal(np.concatenate(parts, 1), np.arange(14).reshape(2, 7))


SEVEN_SIZES = (2, 1, 3, 2, 2, 3, 2)


@pytest.mark.parametrize(
    "node",
    [
        helper.make_node("Transpose", ["x"], ["y"], perm=[0, 1, 3, 5, 2, 4, 6]),
        helper.make_node("Transpose", ["x"], ["y"], perm=[6, 5, 4, 3, 2, 1, 0]),
        helper.make_node("Softmax", ["x"], ["y"], axis=2),
        helper.make_node("LogSoftmax", ["x"], ["y"], axis=-1),
        helper.make_node("ReduceSum", ["x", "axes"], ["y"], keepdims=0),
        helper.make_node("ReduceMax", ["x", "axes"], ["y"], keepdims=1),
    ],
    ids=lambda node: node.op_type,
)
def test_seven_dimensions(node):
    """More dimensions than LiteRT's Transpose, XNNPACK's reductions and oneDNN's softmax support."""
    x = np.random.default_rng(0).standard_normal(SEVEN_SIZES).astype(np.float32)
    axes = numpy_helper.from_array(np.array([2, 3]), "axes")
    ports = [helper.make_tensor_value_info("x", FLOAT, ["n", *SEVEN_SIZES[1:]])]
    graph = helper.make_graph([node], "g", ports, [helper.make_empty_tensor_value_info("y")], [axes])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    (expected,) = ReferenceEvaluator(proto).run(None, {"x": x})
    (got,) = run(proto, [x])
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)
