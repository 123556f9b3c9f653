"""The layout nhwc: which inputs and outputs become channels last, and that outputs match onnx.reference."""

import numpy as np
import onnx
import onnx.helper as oh
import onnx.numpy_helper
import pytest
from onnx.reference import ReferenceEvaluator

from convnet_core.convert.native import converter
from convnet_core.convert.native.lazy_tensorflow import tf

LAST = {3: (0, 2, 1), 4: (0, 2, 3, 1), 5: (0, 2, 3, 4, 1)}
IMAGE = [2, 3, 6, 5]
KERNEL = np.random.default_rng(1).standard_normal((3, 3, 3, 3)).astype(np.float32)


def node(op, inputs, outputs, **attributes):
    return oh.make_node(op, inputs.split(), outputs.split(), **attributes)


def conv(x, y):
    return node("Conv", f"{x} kernel", y, pads=[1, 1, 1, 1])


def model_of(nodes, inputs, outputs, **constants):
    """A model with opset 18; inputs and outputs map a name to a float32 shape or to (dtype, shape)."""
    ports = [
        [oh.make_tensor_value_info(name, *(shape if isinstance(shape, tuple) else (1, shape))) for name, shape in side]
        for side in (inputs.items(), outputs.items())
    ]
    arrays = {"kernel": KERNEL, **constants}
    weights = [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in arrays.items()]
    graph = oh.make_graph(nodes, "test", *ports, weights)
    return oh.make_model(graph, opset_imports=[oh.make_opsetid("", 18)], ir_version=10)


def convert_and_check(model):
    """Compare the converted model with onnx.reference; return its layouts and its number of Transpose nodes."""
    function = converter.convert(converter.read(model), "nhwc")
    rng = np.random.default_rng(0)
    feeds = {}
    for value in model.graph.input:
        tensor = value.type.tensor_type
        dtype = oh.tensor_dtype_to_np_dtype(tensor.elem_type)
        feeds[value.name] = (9 * rng.random([dim.dim_value for dim in tensor.shape.dim])).astype(dtype)
    arguments = {
        name: tf.constant(array.transpose(function.layouts.get(name, range(array.ndim))))
        for name, array in feeds.items()
    }
    answers = function(arguments)
    for value, expected in zip(model.graph.output, ReferenceEvaluator(model).run(None, feeds), strict=True):
        expected = expected.transpose(function.layouts.get(value.name, range(expected.ndim)))
        np.testing.assert_allclose(answers[value.name], expected, rtol=1e-4, atol=1e-4)
    nodes = converter.optimize(converter.read(model), "nhwc").nodes
    return function.layouts, sum(item.op == "Transpose" for item in nodes)


def test_images_stay_channels_last_through_elementwise_operators():
    nodes = [
        node("Cast", "x", "f", to=1),
        node("Sub", "f mean", "s"),
        conv("s", "c"),
        node("Relu", "c", "y"),
        node("ReduceMean", "y axes", "features", keepdims=0),
    ]
    outputs = {"y": IMAGE, "features": [2, 3]}
    mean, axes = np.float32([1, 2, 3]).reshape(3, 1, 1), np.array([2, 3])
    model = model_of(nodes, {"x": (onnx.TensorProto.UINT8, IMAGE)}, outputs, mean=mean, axes=axes)
    assert convert_and_check(model) == ({"x": LAST[4], "y": LAST[4]}, 0)


@pytest.mark.parametrize("rank", [3, 4, 5])
def test_images_with_one_two_and_three_spatial_dimensions(rank):
    shape = [2, 3, 6, 5, 4][:rank]
    kernel = np.ones([4, 3, *[1] * (rank - 2)], np.float32)
    model = model_of([node("Conv", "x kernel", "y")], {"x": shape}, {"y": [2, 4, *shape[2:]]}, kernel=kernel)
    assert convert_and_check(model) == ({"x": LAST[rank], "y": LAST[rank]}, 0)


def test_a_residual_and_a_linear_layer_on_an_image_need_no_transpose():
    nodes = [conv("x", "c"), node("Sub", "x c", "y"), node("Flatten", "x", "f"), node("MatMul", "f w", "z")]
    weights = np.random.default_rng(2).standard_normal((90, 4)).astype(np.float32)
    model = model_of(nodes, {"x": IMAGE}, {"y": IMAGE, "z": [2, 4]}, w=weights)
    assert convert_and_check(model) == ({"x": LAST[4], "y": LAST[4]}, 0)


def test_the_shape_of_an_image_needs_no_transpose():
    nodes = [conv("x", "c"), node("Shape", "x", "s", start=1), node("Cast", "s", "z", to=1), node("Relu", "c", "y")]
    model = model_of(nodes, {"x": IMAGE}, {"y": IMAGE, "z": [3]})
    assert convert_and_check(model) == ({"x": LAST[4], "y": LAST[4]}, 0)


def test_token_sequences_keep_their_layout():
    nodes = [node("Transpose", "k", "kt", perm=[0, 2, 1]), node("MatMul", "q kt", "y"), node("Neg", "kt", "z")]
    model = model_of(nodes, {"q": [2, 5, 4], "k": [2, 7, 4]}, {"y": [2, 5, 7], "z": [2, 4, 7]})
    assert convert_and_check(model)[0] == {}


def test_a_model_that_is_channels_last_keeps_its_layout():
    nodes = [node("Transpose", "x", "t", perm=[0, 3, 1, 2]), conv("t", "c"), node("Transpose", "c", "y", perm=LAST[4])]
    assert convert_and_check(model_of(nodes, {"x": [2, 6, 5, 3]}, {"y": [2, 6, 5, 3]})) == ({}, 0)


def test_a_sampling_grid_keeps_its_layout():
    nodes = [node("Transpose", "flow", "grid", perm=LAST[4]), node("GridSample", "x grid", "y")]
    layouts, _ = convert_and_check(model_of(nodes, {"x": IMAGE, "flow": [2, 2, 6, 5]}, {"y": IMAGE}))
    assert layouts == {"x": LAST[4], "y": LAST[4]}


def test_subgraphs_see_the_original_layout():
    branches = {
        name: oh.make_graph(
            [node("ReduceSum", f"{source} two", name, keepdims=0)],
            name,
            [],
            [oh.make_tensor_value_info(name, 1, [2, 3, 6])],
        )
        for name, source in (("then_branch", "x"), ("else_branch", "y"))
    }
    nodes = [conv("x", "y"), node("Greater", "one two", "yes"), node("If", "yes", "z", **branches)]
    constants = {"one": np.array([1]), "two": np.array([3])}
    model = model_of(nodes, {"x": IMAGE}, {"y": IMAGE, "z": [2, 3, 6]}, **constants)
    assert convert_and_check(model)[0] == {"x": LAST[4], "y": LAST[4]}


def test_an_input_that_is_also_an_output_keeps_its_layout():
    layouts, _ = convert_and_check(model_of([conv("x", "y")], {"x": IMAGE}, {"y": IMAGE, "x": IMAGE}))
    assert layouts == {"y": LAST[4]}
