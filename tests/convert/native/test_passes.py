"""Graph passes: onnx.reference computes the same outputs before and after."""

import numpy as np
import onnx
import onnx.helper as oh
import onnx.numpy_helper
import pytest
from onnx.reference import ReferenceEvaluator

from convnet_core.convert.native.passes.channels_last import DOMAIN, SPATIAL, channels_last, to_first, to_last
from convnet_core.convert.native.passes.drop_unused import drop_unused
from convnet_core.convert.native.passes.fuse_gelu import fuse_gelu
from convnet_core.convert.native.passes.reorder_flattened import reorder_flattened
from convnet_core.convert.native.passes.sink_transposes import sink_transposes
from convnet_core.convert.native.reader import read_graph
from convnet_core.convert.native.registry import all_handlers


def model_of(nodes, inputs, outputs, constants=None, opset=18):
    """A model; inputs and outputs are (name, shape)."""
    ports = [[oh.make_tensor_value_info(name, 1, shape) for name, shape in side] for side in (inputs, outputs)]
    weights = [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()]
    graph = oh.make_graph(nodes, "test", *ports, weights)
    return oh.make_model(graph, opset_imports=[oh.make_opsetid("", opset)], ir_version=10)


def to_onnx(graph, like):
    """Turn a graph without custom operators into an ONNX model."""
    nodes = [oh.make_node(node.op, node.inputs, node.outputs, node.name, **node.attributes) for node in graph.nodes]
    weights = [onnx.numpy_helper.from_array(value, name) for name, value in graph.constants.items()]
    graph_proto = oh.make_graph(nodes, "test", list(like.graph.input), list(like.graph.output), weights)
    return oh.make_model(graph_proto, opset_imports=list(like.opset_import), ir_version=10)


def sink_and_check(model):
    """Sink the model's transposes, and check that its outputs stay the same."""
    graph = drop_unused(reorder_flattened(drop_unused(sink_transposes(read_graph(model)))))
    after = to_onnx(graph, model)
    rng = np.random.default_rng(0)
    feeds = {
        value.name: rng.standard_normal([dim.dim_value for dim in value.type.tensor_type.shape.dim]).astype(np.float32)
        for value in model.graph.input
    }
    expected = ReferenceEvaluator(model).run(None, feeds)
    for got, value in zip(ReferenceEvaluator(after).run(None, feeds), expected, strict=True):
        np.testing.assert_allclose(got, value, rtol=1e-5, atol=1e-5)  # sums in another order
    return graph


def transposes(graph):
    return [node for node in graph.nodes if node.op == "Transpose"]


def transpose(source, result, perm):
    return oh.make_node("Transpose", [source], [result], perm=perm)


LAST, FIRST = [0, 2, 3, 1], [0, 3, 1, 2]
X = [("x", [2, 3, 4, 5])]


def between(*nodes, result=(2, 3, 4, 5), constants=None, inputs=None):
    """A model: x to channels last and back to `a`, as around a convolution, then the nodes from `a` to `b`."""
    frame = [transpose("x", "x1", LAST), oh.make_node("Relu", ["x1"], ["x2"]), transpose("x2", "a", FIRST)]
    return model_of([*frame, *nodes], inputs or X, [("b", list(result))], constants)


def test_inverse_transposes_cancel():
    graph = sink_and_check(between(oh.make_node("Sigmoid", ["a"], ["b"])))
    assert not transposes(graph)


@pytest.mark.parametrize("other", [np.float32(2), np.ones((3, 1, 1), np.float32), np.ones((2, 3, 4, 5), np.float32)])
def test_constants_of_any_rank_are_permuted(other):
    graph = sink_and_check(between(oh.make_node("Add", ["a", "c"], ["b"]), constants={"c": other}))
    assert not transposes(graph)


def test_both_sides_of_a_sum_move_together():
    graph = sink_and_check(
        between(transpose("x", "y1", LAST), transpose("y1", "y", FIRST), oh.make_node("Add", ["a", "y"], ["b"]))
    )
    assert not transposes(graph)


@pytest.mark.parametrize("axis", [1, -1, 2])
def test_concat_and_softmax_change_their_axis(axis):
    shape = [2, 3, 4, 5]
    shape[axis] *= 2
    graph = sink_and_check(
        between(
            oh.make_node("Concat", ["a", "a"], ["c"], axis=axis),
            oh.make_node("Softmax", ["c"], ["b"], axis=axis),
            result=shape,
        )
    )
    assert not transposes(graph)


@pytest.mark.parametrize(
    ("axes", "keepdims", "result", "left"),
    [([2, 3], 1, [2, 3, 1, 1], 0), ([2, 3], 0, [2, 3], 0), ([1], 0, [2, 4, 5], 0), ([-1], 0, [2, 3, 4], 0)],
)
def test_reductions_change_their_axes(axes, keepdims, result, left):
    node = oh.make_node("ReduceMean", ["a", "axes"], ["b"], keepdims=keepdims)
    graph = sink_and_check(between(node, result=result, constants={"axes": np.array(axes)}))
    assert len(transposes(graph)) == left


def test_a_source_with_two_readers_is_transposed_once():
    nodes = [
        oh.make_node("Flatten", ["a"], ["f"]),
        oh.make_node("Flatten", ["a"], ["g"]),
        oh.make_node("Add", ["f", "g"], ["b"]),
    ]
    conv_like = [transpose("x", "x1", [0, 2, 1, 3]), oh.make_node("Relu", ["x1"], ["a"])]
    model = model_of([*conv_like, *nodes], X, [("b", [2, 60])])
    assert len(transposes(sink_and_check(model))) == 1


def test_pad_and_slice_change_their_axes():
    pads = {"pads": np.array([1, 2, 0, 1]), "axes": np.array([1, -1]), "zero": np.float32(0)}
    cut = {"starts": np.array([1, 0]), "ends": np.array([4, 3]), "dims": np.array([1, 3])}
    graph = sink_and_check(
        between(
            oh.make_node("Pad", ["a", "pads", "zero", "axes"], ["p"]),
            oh.make_node("Slice", ["p", "starts", "ends", "dims"], ["b"]),
            result=[2, 3, 4, 3],
            constants={**pads, **cut},
        )
    )
    assert not transposes(graph)


@pytest.mark.parametrize(("cut", "sizes"), [({}, 4), ({"start": 1}, 3), ({"start": -1}, 1), ({"end": 1}, 1)])
def test_shape_reads_the_source_of_a_transpose(cut, sizes):
    nodes = [oh.make_node("Shape", ["a"], ["s"], **cut), oh.make_node("Cast", ["s"], ["b"], to=1)]
    assert not transposes(sink_and_check(between(*nodes, result=[sizes])))


def test_a_transpose_that_only_an_output_needs_moves_to_the_end():
    model = model_of([transpose("x", "y", LAST), oh.make_node("Relu", ["y"], ["b"])], X, [("b", [2, 4, 5, 3])])
    graph = sink_and_check(model)
    assert graph.nodes[-1].op == "Transpose"
    assert graph.nodes[0].op == "Relu"


def test_channels_last_operators_are_those_with_a_channels_last_handler():
    assert {op for domain, op in all_handlers() if domain == DOMAIN} == SPATIAL


def test_convolutions_and_their_weights_become_channels_last():
    weights = np.arange(4 * 3 * 3 * 3, dtype=np.float32).reshape(4, 3, 3, 3)
    nodes = [oh.make_node("Conv", ["x", "w"], ["b"], pads=[1, 1, 1, 1]), oh.make_node("Relu", ["b"], ["c"])]
    graph = channels_last(read_graph(model_of(nodes, X, [("c", [2, 4, 4, 5])], {"w": weights})))
    assert [(node.domain, node.op) for node in graph.nodes] == [
        ("", "Transpose"),
        (DOMAIN, "Conv"),
        ("", "Transpose"),
        ("", "Relu"),
    ]
    conv = graph.nodes[1]
    assert np.array_equal(graph.constants[conv.inputs[1]], weights.transpose(2, 3, 1, 0))
    assert graph.infos[conv.inputs[0]].shape == (2, 4, 5, 3)


@pytest.mark.parametrize(
    "flatten", [oh.make_node("Flatten", ["a"], ["f"]), oh.make_node("Reshape", ["a", "to"], ["f"])]
)
@pytest.mark.parametrize(
    ("linear", "shape"),
    [
        (oh.make_node("Gemm", ["r", "w"], ["b"]), [60, 7]),
        (oh.make_node("Gemm", ["r", "w"], ["b"], transB=1), [7, 60]),
        (oh.make_node("MatMul", ["r", "w"], ["b"]), [60, 7]),
    ],
)
def test_linear_weights_are_reordered_instead_of_flattened_features(flatten, linear, shape):
    weights = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    nodes = [transpose("x", "a", FIRST), flatten, oh.make_node("Relu", ["f"], ["r"]), linear]
    constants = {"w": weights, "to": np.array([0, -1])}
    assert not transposes(sink_and_check(model_of(nodes, [("x", [2, 4, 5, 3])], [("b", [2, 7])], constants)))


def test_flattened_features_with_other_readers_keep_their_order():
    weights = np.ones([60, 7], np.float32)
    nodes = [oh.make_node("Flatten", ["a"], ["f"]), oh.make_node("MatMul", ["f", "w"], ["b"])]
    outputs = [("b", [2, 7]), ("f", [2, 60])]
    model = model_of([transpose("x", "a", FIRST), *nodes], [("x", [2, 4, 5, 3])], outputs, {"w": weights})
    assert len(transposes(sink_and_check(model))) == 1


@pytest.mark.parametrize(
    "products",
    [
        [("x", "half", "h"), ("h", "e1", "b")],
        [("x", "e1", "h"), ("half", "h", "b")],
        [("e1", "half", "h"), ("x", "h", "b")],
    ],
)
@pytest.mark.parametrize("scaled", [("Div", 2**0.5), ("Mul", 0.5**0.5), ("Mul", 0.7)])
def test_a_decomposed_gelu_is_fused(products, scaled):
    op, scale = scaled
    nodes = [
        oh.make_node(op, ["x", "scale"], ["s"]),
        oh.make_node("Erf", ["s"], ["e"]),
        oh.make_node("Add", ["one", "e"], ["e1"]),
        *[oh.make_node("Mul", [first, second], [result]) for first, second, result in products],
    ]
    constants = {"scale": np.float32(scale), "one": np.float32(1), "half": np.float32(0.5)}
    model = model_of(nodes, [("x", [3, 4])], [("b", [3, 4])], constants, opset=20)
    graph = drop_unused(fuse_gelu(read_graph(model)))
    assert ([node.op for node in graph.nodes] == ["Gelu"]) == (scale != 0.7)
    x = np.linspace(-4, 4, 12, dtype=np.float32).reshape(3, 4)
    (expected,), (got,) = (ReferenceEvaluator(item).run(None, {"x": x}) for item in (model, to_onnx(graph, model)))
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_unused_nodes_and_constants_are_dropped():
    nodes = [oh.make_node("Relu", ["x"], ["b"]), oh.make_node("Exp", ["x"], ["unused"])]
    graph = drop_unused(read_graph(model_of(nodes, X, [("b", [2, 3, 4, 5])], {"w": np.ones(3, np.float32)})))
    assert [node.op for node in graph.nodes] == ["Relu"]
    assert not graph.constants


@pytest.mark.parametrize("rank", [3, 4, 5])
def test_to_first_inverts_to_last(rank):
    array = np.zeros(range(2, 2 + rank))
    assert array.transpose(to_last(rank)).transpose(to_first(rank)).shape == array.shape
    assert array.transpose(to_last(rank)).shape[-1] == array.shape[1]
