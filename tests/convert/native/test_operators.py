"""Operators with all dimensions dynamic, compared with ONNX Runtime: cases that ONNX's node tests leave out."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from testing.node_tests import run


def draw(*shape, low=-3.0, high=3.0, dtype=np.float32):
    values = np.random.default_rng(sum(shape)).uniform(low, high, shape)
    return (np.round(values) if np.issubdtype(dtype, np.integer) else values).astype(dtype)


def model_of(op, inputs, outputs=1, opset=21, constants=(), **attributes):
    """A one-node model whose inputs have dynamic dimensions; those whose index is in `constants` are initializers."""
    names = [f"x{index}" if value is not None else "" for index, value in enumerate(inputs)]
    results = [f"y{index}" for index in range(outputs)]
    node = helper.make_node(op, names, results, name="node", **attributes)
    declared = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), [None] * value.ndim)
        for index, (name, value) in enumerate(zip(names, inputs, strict=True))
        if value is not None and index not in constants
    ]
    graph = helper.make_graph(
        [node],
        "graph",
        declared,
        [onnx.ValueInfoProto(name=name) for name in results],
        [onnx.numpy_helper.from_array(inputs[index], names[index]) for index in constants],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def feeds_of(inputs, constants):
    return {f"x{i}": value for i, value in enumerate(inputs) if value is not None and i not in constants}


def compare(op, *inputs, outputs=1, opset=21, constants=(), tolerance=1e-6, **attributes):
    model = model_of(op, inputs, outputs, opset, constants, **attributes)
    feeds = feeds_of(inputs, constants)
    expected = onnxruntime.InferenceSession(model.SerializeToString()).run(None, feeds)
    for result, value in zip(run(model, list(feeds.values())), expected, strict=True):
        assert result.dtype == value.dtype
        assert result.shape == value.shape
        bound = tolerance * max(1, np.abs(value[np.isfinite(value)]).max(initial=0)) if value.dtype.kind == "f" else 0
        np.testing.assert_allclose(result, value, rtol=0, atol=bound)


EXTREMES = np.array(
    [-np.inf, -1e4, -100, -88, -20, -1e-4, -0.0, 0, 1e-4, 0.5, 1.5, 2.5, 20, 89, 1e4, np.inf], np.float32
)


@pytest.mark.parametrize(
    ("op", "attributes"),
    [
        ("Elu", {"alpha": 0.3}),
        ("Elu", {}),
        ("Selu", {}),
        ("Celu", {"alpha": 2.0}),
        ("Gelu", {}),
        ("Gelu", {"approximate": "tanh"}),
        ("HardSigmoid", {"alpha": 0.3}),
        ("LeakyRelu", {"alpha": 1.5}),
        ("LeakyRelu", {"alpha": -0.5}),
        ("Mish", {}),
        ("Softplus", {}),
        ("Softsign", {}),
        ("Sigmoid", {}),
        ("Tanh", {}),
        ("Erf", {}),
        ("Shrink", {"bias": 0.5, "lambd": 1.0}),
        ("ThresholdedRelu", {"alpha": 0.5}),
        ("Round", {}),
        ("Reciprocal", {}),
        ("IsInf", {"detect_negative": 0}),
    ],
)
def test_elementwise_functions_at_extreme_values(op, attributes):
    finite = EXTREMES[np.isfinite(EXTREMES)] if op in ("Mish", "Gelu", "Softsign", "HardSwish") else EXTREMES
    compare(op, finite, **attributes)
    compare(op, draw(2, 3, 4), **attributes)


@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax", "Hardmax"])
@pytest.mark.parametrize(("opset", "axis"), [(11, 0), (11, 1), (11, -1), (13, 0), (13, 1), (13, -1)])
def test_softmax_flattens_before_version_13(op, opset, axis):
    compare(op, draw(2, 3, 4), opset=opset, axis=axis)


@pytest.mark.parametrize(
    ("shapes", "axis"), [(((2, 3, 4, 5), (3, 4)), 1), (((2, 3, 4, 5), (2,)), 0), (((2, 3), (3,)), None)]
)
@pytest.mark.parametrize("op", ["Add", "Mul", "Less", "Pow"])
def test_before_version_7_broadcasting_starts_at_an_axis(op, shapes, axis):
    a, b = (draw(*shape, low=0.5) for shape in shapes)
    trailing = a.ndim - axis - b.ndim if axis is not None else 0
    function = {"Add": np.add, "Mul": np.multiply, "Less": np.less, "Pow": np.power}[op]
    attributes = {"broadcast": 1} | ({} if axis is None else {"axis": axis})
    (result,) = run(model_of(op, [a, b], opset=6, **attributes), [a, b])
    np.testing.assert_allclose(result, function(a, b.reshape(b.shape + (1,) * trailing)), rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.int64])
def test_integer_division_rounds_toward_zero(dtype):
    a, b = draw(4, 5, low=-50, high=50, dtype=dtype), draw(5, low=1, high=7, dtype=dtype) * np.array(-1, dtype)
    compare("Div", a, b)
    compare("Mod", a, b)
    compare("Mod", a, b, fmod=1)


@pytest.mark.parametrize(
    ("base", "exponent"),
    [(np.float32, np.int64), (np.int32, np.float32), (np.int64, np.int32), (np.float64, np.float32)],
)
def test_pow_keeps_the_dtype_of_its_base(base, exponent):
    compare("Pow", draw(3, 4, low=1, high=5, dtype=base), draw(4, low=0, high=4, dtype=exponent))


def test_bits_beyond_a_number_are_shifted_out():
    amounts = np.array([0, 1, 7, 8, 200], np.uint8)
    for direction, expected in (("LEFT", [129, 2, 128, 0, 0]), ("RIGHT", [129, 64, 1, 0, 0])):
        (result,) = run(
            model_of("BitShift", [np.uint8([129] * 5), amounts], direction=direction), [np.uint8([129] * 5), amounts]
        )
        assert result.tolist() == expected


@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize("axes", [None, [1], [0, -1], []])
@pytest.mark.parametrize(
    "op", ["ReduceMean", "ReduceL2", "ReduceLogSumExp", "ReduceMax", "ReduceProd", "ReduceSumSquare"]
)
def test_reductions(op, axes, keepdims):
    inputs = (draw(2, 3, 4), None if axes is None else np.array(axes, np.int64))
    compare(op, *inputs, constants=() if axes is None else (1,), keepdims=keepdims)
    if axes:
        compare(op, *inputs, keepdims=keepdims)  # the axes are an input of the model
        compare(op, inputs[0], keepdims=keepdims, axes=axes, opset=13)


@pytest.mark.parametrize("largest", [0, 1])
@pytest.mark.parametrize(("dtype", "axis"), [(np.float32, 0), (np.int64, 1), (np.uint8, -1)])
def test_top_k_breaks_ties_by_index(dtype, axis, largest):
    x = draw(3, 4, 5, low=0, high=3, dtype=dtype)
    compare("TopK", x, np.array([2], np.int64), outputs=2, axis=axis, largest=largest)


@pytest.mark.parametrize("op", ["ArgMax", "ArgMin"])
@pytest.mark.parametrize(("axis", "last", "keep"), [(0, 0, 1), (1, 1, 0), (-1, 1, 1)])
def test_arg_max_finds_the_first_or_last_index(op, axis, last, keep):
    compare(op, draw(3, 4, 5, dtype=np.int32), axis=axis, select_last_index=last, keepdims=keep)


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("bhqd,bhkd->bhqk", [(2, 3, 4, 5), (2, 3, 6, 5)]),
        ("bqhd,bkhd->bhqk", [(2, 4, 3, 5), (2, 6, 3, 5)]),
        ("bhqk,bkhd->bqhd", [(2, 3, 4, 6), (2, 6, 3, 5)]),
        ("...ij,...jk->...ik", [(2, 3, 4, 5), (2, 3, 5, 6)]),
        ("...ij,jk", [(2, 3, 4, 5), (5, 6)]),
        ("bij->ji", [(2, 3, 4)]),
        ("i,j->ij", [(3,), (4,)]),
        ("ij,ij->i", [(3, 4), (3, 4)]),
        ("ij,kl->", [(3, 4), (2, 5)]),
        ("abcd,ef,gbhd->acegf", [(2, 3, 4, 5), (2, 3), (4, 3, 2, 5)]),
        ("ii->i", [(3, 3)]),
        ("bii", [(2, 3, 3)]),
        (",ij->ij", [(), (3, 4)]),
        ("nkctv,kvw->nctw", [(2, 3, 4, 5, 6), (3, 6, 6)]),
    ],
)
def test_einsum(equation, shapes):
    compare("Einsum", *(draw(*shape) for shape in shapes), opset=12, equation=equation, tolerance=2e-6)


@pytest.mark.parametrize(
    ("a", "b"),
    [((5,), (5,)), ((5,), (2, 5, 3)), ((2, 4, 5), (5,)), ((2, 1, 4, 5), (3, 5, 6)), ((0, 5), (5, 3)), ((2, 0), (0, 3))],
)
@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.uint32])
def test_matmul_of_all_ranks(a, b, dtype):
    a, b = draw(*a, dtype=dtype, low=0), draw(*b, dtype=dtype, low=0)
    (result,) = run(model_of("MatMul", [a, b]), [a, b])
    assert result.dtype == dtype
    np.testing.assert_allclose(result, a @ b, rtol=2e-6)


@pytest.mark.parametrize("shape", [(), (1,), (6,), (1, 6), (4, 1), (4, 6)])
@pytest.mark.parametrize(("a", "b"), [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_gemm(shape, a, b):
    left, right = draw(*((5, 4) if a else (4, 5))), draw(*((6, 5) if b else (5, 6)))
    compare("Gemm", left, right, draw(*shape), alpha=0.5, beta=1.5, transA=a, transB=b)


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
def test_quantization_per_axis(dtype, axis):
    x = draw(3, 4, 5, low=-2, high=2)
    scale = draw(x.shape[axis], low=0.01, high=0.02)
    zero = draw(x.shape[axis], low=0, high=20, dtype=dtype)
    compare("QuantizeLinear", x, scale, zero, constants=(1, 2), axis=axis)
    compare("DequantizeLinear", draw(3, 4, 5, low=0, high=99, dtype=dtype), scale, zero, constants=(1, 2), axis=axis)


def test_the_last_quantization_block_may_be_shorter():
    x, scale = draw(3, 5, dtype=np.int8), draw(3, 2, low=0.1, high=1)
    (result,) = run(model_of("DequantizeLinear", [x, scale], axis=1, block_size=3), [x, scale])
    np.testing.assert_allclose(result, x * scale.repeat(3, 1)[:, :5], rtol=1e-6)


def test_products_of_quantized_matrices():
    a, b = draw(2, 3, 4, low=0, high=255, dtype=np.uint8), draw(4, 5, low=-127, high=127, dtype=np.int8)
    compare("MatMulInteger", a, b, np.array(7, np.uint8), draw(5, dtype=np.int8), opset=10, constants=(3,))
    scales = (np.array(0.01, np.float32), np.array(0.02, np.float32), np.array(0.1, np.float32))
    zeros = (np.array(7, np.uint8), np.array(-3, np.int8), np.array(100, np.uint8))
    inputs = (a, scales[0], zeros[0], b, scales[1], zeros[1], scales[2], zeros[2])
    compare("QLinearMatMul", *inputs, constants=(1, 2, 4, 5, 6, 7))


@pytest.mark.parametrize(("axis", "sorted_"), [(None, 1), (None, 0), (0, 1), (1, 1), (-1, 0)])
def test_unique(axis, sorted_):
    x = draw(4, 3, 5, low=0, high=1, dtype=np.int64)
    compare("Unique", x, outputs=4, sorted=sorted_, **({} if axis is None else {"axis": axis}))


@pytest.mark.parametrize("center", [0, 1])
def test_non_max_suppression_of_classes_and_batches(center):
    boxes, scores = draw(2, 20, 4, low=0, high=1), draw(2, 3, 20, low=0, high=1)
    limits = (np.array([5]), np.array([0.3], np.float32), np.array([0.2], np.float32))
    compare("NonMaxSuppression", boxes, scores, *limits, center_point_box=center)


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
def test_losses(reduction):
    scores, labels, weights = draw(2, 5, 3), np.array([[0, 4, -1], [2, -1, 1]]), draw(5, low=0.1, high=1)
    options = {"ignore_index": -1, "reduction": reduction}
    compare("SoftmaxCrossEntropyLoss", scores, labels, weights, outputs=2, opset=13, **options)
    compare("NegativeLogLikelihoodLoss", scores, labels, opset=13, **options)


def test_casts_of_strings_and_of_values_out_of_range():
    texts = np.array(["1.5", "-2e3", "NaN", "INF"], object)
    (result,) = run(model_of("Cast", [draw(1)], to=TensorProto.STRING), [np.array([0.1, 314.15926, 2], np.float32)])
    assert [float(text) for text in result.tolist()] == pytest.approx([0.1, 314.15926, 2])
    graph = model_of("Cast", [draw(1)], to=TensorProto.FLOAT)
    graph.graph.input[0].type.tensor_type.elem_type = TensorProto.STRING
    (result,) = run(graph, [texts])
    np.testing.assert_array_equal(result, np.float32([1.5, -2000, np.nan, np.inf]))
    compare("Cast", np.array([300, -1, 255], np.int32), to=TensorProto.UINT8)
    compare("Cast", np.array([0.5, np.nan, 0, -0.0], np.float32), to=TensorProto.BOOL)


@pytest.mark.parametrize(
    ("op", "attributes", "mean", "deviation"),
    [
        ("RandomNormalLike", {"mean": 2.0, "scale": 3.0}, 2, 3),
        ("RandomUniformLike", {"low": -1.0, "high": 3.0}, 1, 4 / 12**0.5),
        ("Bernoulli", {}, 0.25, 0.25 * 3**0.5),
    ],
)
def test_random_numbers_have_the_right_distribution(op, attributes, mean, deviation):
    x = np.full((100, 200), 0.25, np.float32)
    (result,) = run(model_of(op, [x], seed=1.5, **attributes), [x])
    assert result.shape == x.shape
    assert result.dtype == x.dtype
    assert result.mean() == pytest.approx(mean, abs=0.05 * deviation)
    assert result.std() == pytest.approx(deviation, rel=0.03)


def test_multinomial_draws_by_log_probabilities():
    x = np.log(np.array([[0.1, 0.9], [0.5, 0.5]], np.float32))
    (result,) = run(model_of("Multinomial", [x], sample_size=5000, dtype=TensorProto.INT64), [x])
    assert result.dtype == np.int64
    np.testing.assert_allclose(result.mean(1), [0.9, 0.5], atol=0.04)


@pytest.mark.parametrize(("size", "onesided"), [(None, 0), (8, 1), (3, 0)])
@pytest.mark.parametrize("channels", [1, 2])
def test_dft_truncates_and_pads(size, onesided, channels):
    if channels == 2 and onesided:
        pytest.skip("complex input has no one-sided spectrum")
    x = draw(2, 5, channels)
    model = model_of("DFT", [x, None if size is None else np.array(size)], onesided=onesided, opset=20, constants=())
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = channels
    values = x[..., 0] if channels == 1 else x[..., 0] + 1j * x[..., 1]
    expected = (np.fft.rfft if onesided else np.fft.fft)(values, size, 1)
    (result,) = run(model, [x] if size is None else [x, np.array(size)])
    np.testing.assert_allclose(result[..., 0] + 1j * result[..., 1], expected, atol=1e-5)
