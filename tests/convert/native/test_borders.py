"""The layout nhwc: which inputs and outputs it moves, and that the answers are those of onnx.reference."""

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
    """A model of opset 18; inputs and outputs are shapes by name, of float32, or of what stands after a shape."""
    ports = [
        [oh.make_tensor_value_info(name, *(shape if isinstance(shape, tuple) else (1, shape))) for name, shape in side]
        for side in (inputs.items(), outputs.items())
    ]
    arrays = {"kernel": KERNEL, **constants}
    weights = [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in arrays.items()]
    graph = oh.make_graph(nodes, "test", *ports, weights)
    return oh.make_model(graph, opset_imports=[oh.make_opsetid("", 18)], ir_version=10)


def moved(model):
    """The inputs and outputs that are moved, after a check of the answers; and the transposes that are left."""
    function = converter.convert(model, "nhwc")
    rng = np.random.default_rng(0)
    feeds = {}
    for value in model.graph.input:
        tensor = value.type.tensor_type
        dtype = oh.tensor_dtype_to_np_dtype(tensor.elem_type)
        feeds[value.name] = (9 * rng.random([dim.dim_value for dim in tensor.shape.dim])).astype(dtype)
    given = {
        name: tf.constant(array.transpose(function.layouts.get(name, range(array.ndim))))
        for name, array in feeds.items()
    }
    answers = function(given)
    for value, expected in zip(model.graph.output, ReferenceEvaluator(model).run(None, feeds), strict=True):
        expected = expected.transpose(function.layouts.get(value.name, range(expected.ndim)))
        np.testing.assert_allclose(answers[value.name], expected, rtol=1e-4, atol=1e-4)
    nodes = converter.prepare(model, "nhwc").nodes
    return function.layouts, sum(item.op == "Transpose" for item in nodes)


def test_images_are_moved_through_what_is_done_to_each_value():
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
    assert moved(model) == ({"x": LAST[4], "y": LAST[4]}, 0)


@pytest.mark.parametrize("rank", [3, 4, 5])
def test_in_one_two_and_three_dimensions(rank):
    shape = [2, 3, 6, 5, 4][:rank]
    kernel = np.ones([4, 3, *[1] * (rank - 2)], np.float32)
    model = model_of([node("Conv", "x kernel", "y")], {"x": shape}, {"y": [2, 4, *shape[2:]]}, kernel=kernel)
    assert moved(model) == ({"x": LAST[rank], "y": LAST[rank]}, 0)


def test_a_residual_and_a_linear_layer_on_the_image_itself_need_no_transpose():
    nodes = [conv("x", "c"), node("Sub", "x c", "y"), node("Flatten", "x", "f"), node("MatMul", "f w", "z")]
    weights = np.random.default_rng(2).standard_normal((90, 4)).astype(np.float32)
    model = model_of(nodes, {"x": IMAGE}, {"y": IMAGE, "z": [2, 4]}, w=weights)
    assert moved(model) == ({"x": LAST[4], "y": LAST[4]}, 0)


def test_the_size_of_an_image_is_asked_of_it_as_it_comes():
    nodes = [conv("x", "c"), node("Shape", "x", "s", start=1), node("Cast", "s", "z", to=1), node("Relu", "c", "y")]
    model = model_of(nodes, {"x": IMAGE}, {"y": IMAGE, "z": [3]})
    assert moved(model) == ({"x": LAST[4], "y": LAST[4]}, 0)


def test_words_are_no_images():
    nodes = [node("Transpose", "k", "kt", perm=[0, 2, 1]), node("MatMul", "q kt", "y"), node("Neg", "kt", "z")]
    model = model_of(nodes, {"q": [2, 5, 4], "k": [2, 7, 4]}, {"y": [2, 5, 7], "z": [2, 4, 7]})
    assert moved(model)[0] == {}


def test_what_is_channels_last_already_stays():
    nodes = [node("Transpose", "x", "t", perm=[0, 3, 1, 2]), conv("t", "c"), node("Transpose", "c", "y", perm=LAST[4])]
    assert moved(model_of(nodes, {"x": [2, 6, 5, 3]}, {"y": [2, 6, 5, 3]})) == ({}, 0)


def test_a_grid_to_sample_at_is_no_image():
    nodes = [node("Transpose", "flow", "grid", perm=LAST[4]), node("GridSample", "x grid", "y")]
    layouts, _ = moved(model_of(nodes, {"x": IMAGE, "flow": [2, 2, 6, 5]}, {"y": IMAGE}))
    assert layouts == {"x": LAST[4], "y": LAST[4]}


def test_graphs_inside_nodes_see_the_former_order():
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
    assert moved(model)[0] == {"x": LAST[4], "y": LAST[4]}


def test_an_input_that_is_given_back_as_it_is_stays():
    layouts, _ = moved(model_of([conv("x", "y")], {"x": IMAGE}, {"y": IMAGE, "x": IMAGE}))
    assert layouts == {"y": LAST[4]}
