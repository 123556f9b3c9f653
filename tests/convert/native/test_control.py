"""Branches and loops, unrolled or as TensorFlow loops, compared with ONNX Runtime."""

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.targets import frozen_graph
from testing.node_tests import trace

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
WEIGHTS = np.random.default_rng(1).normal(size=(4, 4), scale=0.5).astype(np.float32)


def infos(values):
    return [helper.make_tensor_value_info(name, dtype, shape) for name, dtype, shape in values]


def graph(nodes, inputs, outputs, **constants):
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    return helper.make_graph(nodes, "graph", infos(inputs), infos(outputs), tensors)


def assert_agrees(nodes, inputs, outputs, feeds, **constants):
    model = helper.make_model(
        graph(nodes, inputs, outputs, **constants), opset_imports=[helper.make_opsetid("", 18)], ir_version=10
    )
    expected = onnxruntime.InferenceSession(model.SerializeToString()).run(None, feeds)
    for result, value in zip(trace(model)(*feeds.values()), expected, strict=True):
        np.testing.assert_allclose(result, value, rtol=1e-5, atol=1e-6)


X = np.random.default_rng(0).normal(size=(2, 4)).astype(np.float32)
STEP = graph(
    [
        helper.make_node("MatMul", ["h", "W"], ["p"]),
        helper.make_node("Gather", ["table", "i"], ["row"]),  # another row in each step, a constant if unrolled
        helper.make_node("Add", ["p", "row"], ["h2"]),
        helper.make_node("Tanh", ["h2"], ["scan"]),
        helper.make_node("Identity", ["c"], ["c2"]),
    ],
    [("i", INT64, []), ("c", BOOL, []), ("h", FLOAT, ["n", 4])],
    [("c2", BOOL, []), ("h2", FLOAT, ["n", 4]), ("scan", FLOAT, ["n", 4])],
)
TABLE = np.random.default_rng(2).normal(size=(50, 4)).astype(np.float32)
OUTPUTS = [("y", FLOAT, None), ("z", FLOAT, None)]


@pytest.mark.parametrize("steps", [1, 5, 45])
def test_a_loop_with_a_known_number_of_steps(steps):
    assert_agrees(
        [helper.make_node("Loop", ["m", "", "x"], ["y", "z"], body=STEP)],
        [("x", FLOAT, ["n", 4])],
        OUTPUTS,
        {"x": X},
        m=np.int64(steps),
        W=WEIGHTS,
        table=TABLE,
    )


@pytest.mark.parametrize("steps", [1, 5])
def test_a_loop_whose_number_of_steps_is_an_input(steps):
    assert_agrees(
        [helper.make_node("Loop", ["m", "", "x"], ["y", "z"], body=STEP)],
        [("m", INT64, []), ("x", FLOAT, ["n", 4])],
        OUTPUTS,
        {"m": np.array(steps), "x": X},
        W=WEIGHTS,
        table=TABLE,
    )


def test_a_frozen_graph_keeps_a_loop_that_gathers_from_a_weight(tmp_path):
    node = helper.make_node("Loop", ["m", "", "x"], ["y", "z"], body=STEP)
    model = helper.make_model(
        graph([node], [("m", INT64, []), ("x", FLOAT, ["n", 4])], OUTPUTS, W=WEIGHTS, table=TABLE),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=10,
    )
    concrete = trace(model)
    frozen_graph.save(concrete, tmp_path / "frozen.pb")
    with tf.Graph().as_default() as frozen, tf.compat.v1.Session() as session:
        graph_def = tf.compat.v1.GraphDef.FromString((tmp_path / "frozen.pb").read_bytes())
        tf.graph_util.import_graph_def(graph_def, name="")
        placeholders = [item.outputs[0] for item in frozen.get_operations() if item.type == "Placeholder"][:2]
        results = session.run(["Identity:0", "Identity_1:0"], dict(zip(placeholders, (3, X), strict=True)))
    for result, value in zip(results, concrete(np.array(3), X), strict=True):
        np.testing.assert_allclose(result, value, rtol=1e-6)


def test_a_loop_without_steps():
    """The shape of the empty scan output comes from ONNX's shape inference."""
    node = helper.make_node("Loop", ["m", "", "x"], ["y", "z"], body=STEP)
    model = helper.make_model(
        graph([node], [("x", FLOAT, [2, 4])], OUTPUTS, m=np.int64(0), W=WEIGHTS, table=TABLE),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=10,
    )
    last, scans = trace(model)(X)
    np.testing.assert_array_equal(last, X)
    assert scans.shape[0] == 0


def test_a_loop_whose_state_grows_until_its_condition_is_false():
    body = graph(
        [
            helper.make_node("Concat", ["h", "x"], ["h2"], axis=0),
            helper.make_node("Size", ["h2"], ["size"]),
            helper.make_node("Less", ["size", "most"], ["c2"]),
        ],
        [("i", INT64, []), ("c", BOOL, []), ("h", FLOAT, ["k", 4])],
        [("c2", BOOL, []), ("h2", FLOAT, ["k2", 4])],
    )
    assert_agrees(
        [helper.make_node("Loop", ["", "true", "x"], ["y"], body=body)],
        [("x", FLOAT, ["n", 4])],
        OUTPUTS[:1],
        {"x": X},
        true=np.array(True),
        most=np.int64(30),
    )


@pytest.mark.parametrize("steps", [5, 40, "t"])
def test_a_scan_along_another_dimension_and_backwards(steps):
    body = graph(
        [helper.make_node("Add", ["h", "x"], ["h2"]), helper.make_node("Tanh", ["h2"], ["scan"])],
        [("h", FLOAT, ["n", 4]), ("x", FLOAT, ["n", 4])],
        [("h2", FLOAT, ["n", 4]), ("scan", FLOAT, ["n", 4])],
    )
    node = helper.make_node(
        "Scan", ["h", "x"], ["y", "z"], body=body, num_scan_inputs=1, scan_input_axes=[1],
        scan_input_directions=[1], scan_output_axes=[-2], scan_output_directions=[1],
    )  # fmt: skip
    x = np.random.default_rng(0).normal(size=(2, 7 if steps == "t" else steps, 4)).astype(np.float32)
    assert_agrees([node], [("h", FLOAT, ["n", 4]), ("x", FLOAT, ["n", steps, 4])], OUTPUTS, {"h": X, "x": x})


@pytest.mark.parametrize("condition", [True, False])
def test_branches_with_different_shapes_and_the_same_weight_name(condition):
    def branch(size):
        weights = np.random.default_rng(size).normal(size=(4, size)).astype(np.float32)
        out = f"out{size}"
        return graph([helper.make_node("MatMul", ["x", "W"], [out])], [], [(out, FLOAT, None)], W=weights)

    assert_agrees(
        [helper.make_node("If", ["c"], ["y"], then_branch=branch(4), else_branch=branch(6))],
        [("c", BOOL, []), ("x", FLOAT, ["n", 4])],
        OUTPUTS[:1],
        {"c": np.array(condition), "x": X},
    )
