"""Quantized operators of com.microsoft, compared with ONNX Runtime's kernels."""

import numpy as np
import pytest

from convnet_core.onnx_files.repairs import repair
from testing import node_tests
from testing.contrib import assert_same_answers, model, random_arrays, s, z

RNG, f, u8, i8 = random_arrays(2)

X, A, B = f(2, 3, 8), u8(2, 3, 6, 6), u8(2, 3, 6, 6)
QA = (A, s(0.1), z(120))
# The scales of means and activations avoid values halfway between two integers: TensorFlow multiplies by the inverse of
# a constant where ONNX Runtime divides by it.
QB = (B, s(0.1), z(7))
CASES = {
    "QuantizeLinear": ("QuantizeLinear", [X, s(0.02), z(100)], (1, 2)),
    "DequantizeLinear": ("DequantizeLinear", [A, s(0.02), z(100)], (1, 2)),
    "DequantizeLinear of channels": ("DequantizeLinear", [A, np.abs(f(3)), u8(3)], (1, 2), {"axis": 1}),
    "QLinearAdd": ("QLinearAdd", [*QA, *QB, s(0.2), z(111)], (1, 2, 4, 5, 6, 7)),
    "QLinearAdd of channels": ("QLinearAdd", [*QA, u8(3, 1, 1), s(0.03), z(9), s(0.04), z(3)], (1, 2, 3, 4, 5, 6, 7)),
    "QLinearAdd of int8": (
        "QLinearAdd",
        [i8(2, 9), s(0.1), z(3, np.int8), i8(2, 9), s(0.3), z(-5, np.int8), s(0.25), z(8, np.int8)],
        (1, 2, 4, 5, 6, 7),
    ),
    "QLinearMul": ("QLinearMul", [*QA, *QB, s(0.7), z(111)], (1, 2, 4, 5, 6, 7)),
    "QLinearMul of int8": (
        "QLinearMul",
        [i8(2, 9), s(0.5), z(3, np.int8), i8(2, 9), s(0.5), z(-5, np.int8), s(0.5), z(8, np.int8)],
        (1, 2, 4, 5, 6, 7),
    ),
    "QLinearLeakyRelu": ("QLinearLeakyRelu", [*QA, s(0.077), z(50)], (1, 2, 3, 4), {"alpha": 0.2}),
    "QLinearSigmoid": ("QLinearSigmoid", [*QA, s(1 / 256), z(0)], (1, 2, 3, 4)),
    "QLinearSigmoid of int8": (
        "QLinearSigmoid",
        [i8(2, 40), s(0.05), z(3, np.int8), s(1 / 256), z(-128, np.int8)],
        (1, 2, 3, 4),
    ),
    "QLinearSoftmax": (
        "QLinearSoftmax",
        [u8(2, 10), s(0.1), z(9), s(1 / 256), z(0)],
        (1, 2, 3, 4),
        {"axis": -1, "opset": 13},
    ),
    "QLinearSoftmax over all trailing axes": (
        "QLinearSoftmax",
        [u8(2, 3, 4), s(0.1), z(9), s(1 / 256), z(0)],
        (1, 2, 3, 4),
        {"axis": 1, "opset": 12},
    ),
    "QLinearConcat": (
        "QLinearConcat",
        [s(0.1), z(9), *QA, *QB, u8(2, 2, 6, 6), s(0.1), z(9)],
        (0, 1, 3, 4, 6, 7, 9, 10),
        {"axis": 1},
    ),
    "QLinearWhere": (
        "QLinearWhere",
        [RNG.random((2, 6)) > 0.5, u8(2, 6), s(0.1), z(3), u8(2, 6), s(0.2), z(5), s(0.15), z(1)],
        (2, 3, 5, 6, 7, 8),
    ),
    "QLinearGlobalAveragePool": ("QLinearGlobalAveragePool", [*QA, s(0.1), z(120)], (1, 2, 3, 4), {"channels_last": 0}),
    "QLinearGlobalAveragePool, another scale": (
        "QLinearGlobalAveragePool",
        [*QA, s(0.03), z(90)],
        (1, 2, 3, 4),
        {"channels_last": 0},
    ),
    "QLinearGlobalAveragePool, channels last": (
        "QLinearGlobalAveragePool",
        [u8(2, 6, 6, 3), s(0.1), z(9), s(0.03), z(90)],
        (1, 2, 3, 4),
        {"channels_last": 1},
    ),
    "QLinearAveragePool": (
        "QLinearAveragePool",
        [*QA, s(0.0917), z(100)],
        (1, 2, 3, 4),
        {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [2, 2]},
    ),
    "QLinearAveragePool with padding in the mean": (
        "QLinearAveragePool",
        [*QA, s(0.0917), z(100)],
        (1, 2, 3, 4),
        {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1},
    ),
    "QLinearAveragePool, channels last": (
        "QLinearAveragePool",
        [u8(2, 6, 6, 3), s(0.1), z(9), s(0.0917), z(90)],
        (1, 2, 3, 4),
        {"kernel_shape": [2, 2], "channels_last": 1},
    ),
    "QLinearConv": (
        "QLinearConv",
        [u8(2, 3, 6, 6), s(0.02), z(128), i8(4, 3, 3, 3), s(0.01), z(0, np.int8), s(0.1), z(120)],
        (1, 2, 3, 4, 5, 6, 7),
    ),
    "QLinearConv, channels last": (
        "QLinearConv",
        [u8(2, 6, 6, 3), s(0.02), z(128), i8(4, 3, 3, 3), s(0.01), z(0, np.int8), s(0.1), z(120)],
        (1, 2, 3, 4, 5, 6, 7),
        {"channels_last": 1},
    ),
    "QGemm": (
        "QGemm",
        [
            u8(2, 8),
            s(0.02),
            z(128),
            i8(8, 5),
            s(0.01),
            z(0, np.int8),
            RNG.integers(-99, 99, 5).astype(np.int32),
            s(0.03),
            z(100),
        ],
        (1, 2, 3, 4, 5, 6, 7, 8),
    ),
    "QGemm to floats": (
        "QGemm",
        [u8(2, 8), s(0.02), z(128), i8(5, 8), np.abs(f(5)), np.zeros(5, np.int8)],
        (1, 2, 3, 4, 5),
        {"transB": 1, "alpha": 0.5},
    ),
    "MatMulIntegerToFloat": (
        "MatMulIntegerToFloat",
        [u8(2, 3, 8), i8(8, 5), s(0.1), np.abs(f(5)), z(9), np.zeros(5, np.int8), f(5)],
        (1, 2, 3, 4, 5, 6),
    ),
    "DynamicQuantizeMatMul": (
        "DynamicQuantizeMatMul",
        [X, i8(8, 5), np.abs(f(5)), np.zeros(5, np.int8), f(5)],
        (1, 2, 3, 4),
        {"atol": 1e-4},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_quantized_operators_match_onnx_runtime(name):
    op, inputs, fixed, *rest = CASES[name]
    assert_same_answers(op, inputs, fixed, **(rest[0] if rest else {}))


def test_a_quantized_mean_matches_its_definition():
    """ONNX Runtime has no CPU kernel for QLinearReduceMean."""
    proto = model("QLinearReduceMean", [A, s(0.1), z(3), s(0.03), z(5)], (1, 2, 3, 4), axes=[1, 2], keepdims=0)
    repair(proto)
    (got,) = node_tests.run(proto, [A])
    mean = (A.astype(np.float32) - 3).mean((1, 2)) * np.float32(0.1)
    np.testing.assert_array_equal(got, np.clip(np.round(mean / np.float32(0.03)) + 5, 0, 255))


@pytest.mark.parametrize("op", ["QLinearAdd", "QLinearMul"])
@pytest.mark.parametrize("scales", [(0.1, 0.1, 0.2), (0.1, 0.1, 0.7), (0.02, 0.03, 0.01)])
def test_all_pairs_of_integers_round_like_onnx_runtime(op, scales):
    """With scales such as 0.1 and 0.2, every second sum lies halfway between two integers."""
    a, b = (side.reshape(1, -1) for side in np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8)))
    first, second, third = map(s, scales)
    assert_same_answers(op, [a, first, z(120), b, second, z(7), third, z(111)], (1, 2, 4, 5, 6, 7))
