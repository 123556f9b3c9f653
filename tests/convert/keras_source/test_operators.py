"""The Keras code of single operators against onnx.reference."""

import numpy as np
import onnx.parser
import onnx.reference
import pytest
from onnx import numpy_helper

from convnet_core.convert.keras_source.source import write_source
from convnet_core.errors import ConversionError
from tests.convert.keras_source.running import run

IMAGE = "float[n, 4, 9, 8] x"
CASES = {
    # name: (inputs, body, outputs, shapes of weights, what the code contains)
    "convolution": (IMAGE, "y = Conv(x, w, b)", "float[n, 6, 7, 6] y", {"w": (6, 4, 3, 3), "b": (6,)}, "Conv2D(6, 3,"),
    "same padding": (
        IMAGE,
        "y = Conv <pads = [1, 1, 1, 1]> (x, w)",
        "float[n, 6, 9, 8] y",
        {"w": (6, 4, 3, 3)},
        'padding="same", use_bias=False',
    ),
    "padding that is not same": (
        IMAGE,
        "y = Conv <pads = [1, 1, 1, 1], strides = [2, 2]> (x, w)",
        "float[n, 6, 5, 4] y",
        {"w": (6, 4, 3, 3)},
        "ZeroPadding2D(1)",
    ),
    "one-sided padding": (
        IMAGE,
        "y = Conv <pads = [0, 2, 1, 0]> (x, w)",
        "float[n, 6, 8, 8] y",
        {"w": (6, 4, 3, 3)},
        "ZeroPadding2D(((0, 1), (2, 0)))",
    ),
    "depthwise": (
        IMAGE,
        "y = Conv <group = 4, pads = [2, 2, 2, 2]> (x, w)",
        "float[n, 4, 9, 8] y",
        {"w": (4, 1, 5, 5)},
        'DepthwiseConv2D(5, padding="same"',
    ),
    "groups and dilation": (
        IMAGE,
        "y = Conv <group = 2, dilations = [2, 2]> (x, w)",
        "float[n, 6, 5, 4] y",
        {"w": (6, 2, 3, 3)},
        "groups=2, dilation_rate=2",
    ),
    "convolution in one dimension": (
        "float[n, 4, 9] x",
        "y = Conv <pads = [1, 1]> (x, w)",
        "float[n, 6, 9] y",
        {"w": (6, 4, 3)},
        'Conv1D(6, 3, padding="same"',
    ),
    "activation of a layer": (
        IMAGE,
        "a = Conv(x, w)\ny = Relu(a)",
        "float[n, 6, 9, 8] y",
        {"w": (6, 4, 1, 1)},
        'activation="relu"',
    ),
    "max pooling": (
        IMAGE,
        "y = MaxPool <kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]> (x)",
        "float[n, 4, 5, 4] y",
        {},
        'constant_values=float("-inf")',
    ),
    "max pooling, rounded up": (
        IMAGE,
        "y = MaxPool <kernel_shape = [2, 3], strides = [2, 3], ceil_mode = 1> (x)",
        "float[n, 4, 5, 3] y",
        {},
        "MaxPooling2D((2, 3), strides=(2, 3))",
    ),
    "average pooling": (
        IMAGE,
        "y = AveragePool <kernel_shape = [2, 2], strides = [2, 2]> (x)",
        "float[n, 4, 4, 4] y",
        {},
        "AveragePooling2D(2, strides=2)",
    ),
    "average pooling that counts its padding": (
        IMAGE,
        "y = AveragePool <kernel_shape = [3, 3], pads = [1, 1, 1, 1], count_include_pad = 1> (x)",
        "float[n, 4, 9, 8] y",
        {},
        "ops.pad",
    ),
    "average pooling that does not": (
        IMAGE,
        "y = AveragePool <kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]> (x)",
        "float[n, 4, 5, 4] y",
        {},
        "ops.ones_like",
    ),
    "linear layer": (
        "float[n, 5] x",
        "y = Gemm <transB = 1> (x, w, b)",
        "float[n, 3] y",
        {"w": (3, 5), "b": (3,)},
        "Dense(3",
    ),
    "linear layer of a sequence": (
        "float[n, 7, 5] x",
        "a = MatMul(x, w)\ny = Add(b, a)",
        "float[n, 7, 3] y",
        {"w": (5, 3), "b": (3,)},
        "Dense(3, name",
    ),
    "product of two tensors": (
        "float[n, 2, 3] x, float[n, 3, 4] z",
        "y = MatMul(x, z)",
        "float[n, 2, 4] y",
        {},
        "ops.matmul",
    ),
    "layer normalization": (
        "float[n, 7, 5] x",
        "y = LayerNormalization <epsilon = 0.001> (x, w, b)",
        "float[n, 7, 5] y",
        {"w": (5,), "b": (5,)},
        "LayerNormalization(name",
    ),
    "a weight of its own": ("float[n, 5] x", "y = Mul(x, w)", "float[n, 5] y", {"w": (5,)}, 'Weight((5,), name="w")'),
    "silu": ("float[n, 5] x", "s = Sigmoid(x)\ny = Mul(x, s)", "float[n, 5] y", {}, "ops.silu"),
    "a gate that is not silu": (
        "float[n, 5] x, float[n, 5] z",
        "s = Sigmoid(x)\ny = Mul(z, s)",
        "float[n, 5] y",
        {},
        "ops.sigmoid",
    ),
    "relu6": (
        "float[n, 5] x",
        "l = Constant <value = float {0}> ()\nh = Constant <value = float {6}> ()\ny = Clip(x, l, h)",
        "float[n, 5] y",
        {},
        "ops.relu6",
    ),
    "clip": (
        "float[n, 5] x",
        "l = Constant <value = float {-0.5}> ()\ny = Clip(x, l)",
        "float[n, 5] y",
        {},
        "ops.maximum(inputs, -0.5)",
    ),
    "hard sigmoid": (
        "float[n, 5] x",
        "y = HardSigmoid <alpha = 0.16666667> (x)",
        "float[n, 5] y",
        {},
        "ops.hard_sigmoid",
    ),
    "exact gelu": ("float[n, 5] x", "y = Gelu(x)", "float[n, 5] y", {}, "approximate=False"),
    "softmax": ("float[n, 5, 3] x", "y = Softmax <axis = 1> (x)", "float[n, 5, 3] y", {}, "axis=1"),
    "two outputs": (
        "float[n, 6] x",
        "a, b = Split <axis = 1, num_outputs = 2> (x)\ny = Sub(a, b)\nz = Relu(a)",
        "float[n, 3] y, float[n, 3] z",
        {},
        "ops.split",
    ),
    "concatenation and reshape": (
        "float[n, 6] x",
        "s = Constant <value = int64[3] {0, 4, 3}> ()\na = Concat <axis = 1> (x, x)\ny = Reshape(a, s)",
        "float[n, 4, 3] y",
        {},
        "ops.reshape",
    ),
    "one of many": (
        "float[n, 6, 3] x",
        "i = Constant <value = int64 {2}> ()\ny = Gather <axis = 1> (x, i)",
        "float[n, 3] y",
        {},
        "[:, 2]",
    ),
    "mean": (
        "float[n, 6, 3] x",
        "a = Constant <value = int64[1] {-1}> ()\ny = ReduceMean <keepdims = 0> (x, a)",
        "float[n, 6] y",
        {},
        "ops.mean",
    ),
}


def model_of(inputs, body, outputs, weights=()):
    """A model in ONNX's own text; weights are small random numbers."""
    text = f'<ir_version: 10, opset_import: ["" : 21]> graph ({inputs}) => ({outputs}) {{ {body} }}'
    model = onnx.parser.parse_model(text)
    for number, node in enumerate(model.graph.node):
        node.name = f"node_{number}"
    rng = np.random.default_rng(0)
    for name, shape in dict(weights).items():
        value = (0.5 * rng.standard_normal(shape)).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(value, name))
    return model


def feeds_for(model, batch):
    rng = np.random.default_rng(batch)
    sizes = {
        info.name: [size.dim_value or batch for size in info.type.tensor_type.shape.dim] for info in model.graph.input
    }
    return {name: rng.standard_normal(shape).astype(np.float32) for name, shape in sizes.items()}


@pytest.mark.parametrize("name", CASES)
def test_the_code_gives_the_reference_s_answers(name):
    inputs, body, outputs, weights, expected = CASES[name]
    model = model_of(inputs, "\n".join(body.split("\n")), outputs, weights)
    for batch in (1, 3):
        feeds = feeds_for(model, batch)
        got, text = run(model, feeds)
        wanted = onnx.reference.ReferenceEvaluator(model).run(None, feeds)
        for one, other in zip(got, wanted, strict=True):
            assert one.shape == other.shape
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
    assert expected in text


def test_a_node_without_code_names_itself():
    model = model_of("float[n, 5] x", "y = Det(x)", "float[n] y")
    with pytest.raises(ConversionError, match=r"Det \(node 'node_0'\) has no code in Keras"):
        write_source(model)


def test_names_from_the_file_stay_text():
    """A quote, a newline or a call in a name must not become code."""
    model = model_of("float[n, 5] x", "y = Mul(x, w)", "float[n, 5] y", {"w": (5,)})
    evil = '"); __import__("os").abort()\n#'
    for place in (model.graph.initializer[0], model.graph.input[0]):
        place.name = evil + place.name
    model.graph.node[0].input[:] = [model.graph.input[0].name, model.graph.initializer[0].name]
    source = write_source(model)
    assert repr(model.graph.input[0].name)[1:-1] in source.text
    compile(source.text, "model.py", "exec")
    assert "\n#" not in source.text
