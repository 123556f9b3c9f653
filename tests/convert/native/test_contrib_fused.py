"""Fused operators of com.microsoft, compared with ONNX Runtime's kernels."""

import numpy as np
import pytest

from convnet_core.onnx_files.repairs import repair
from testing import node_tests
from testing.contrib import assert_same_answers, model, random_arrays, run_both

_, f, _, i8 = random_arrays(1)

X = f(2, 3, 8)
CASES = {
    "Gelu": ("Gelu", [X], ()),
    "QuickGelu": ("QuickGelu", [X], (), {"alpha": 1.5}),
    "QuickGelu by default": ("QuickGelu", [X], ()),
    "BiasGelu": ("BiasGelu", [X, f(8)], (1,)),
    "FastGelu": ("FastGelu", [X], ()),
    "FastGelu with a bias": ("FastGelu", [X, f(8)], (1,)),
    "SkipLayerNormalization": ("SkipLayerNormalization", [X, f(2, 3, 8), f(8), f(8), f(8)], (2, 3, 4)),
    "SkipLayerNormalization without biases": ("SkipLayerNormalization", [X, f(2, 3, 8), f(8)], (2,), {"epsilon": 0.1}),
    "SkipLayerNormalization and its sum": (
        "SkipLayerNormalization",
        [X, f(2, 3, 8), f(8), f(8), f(8)],
        (2, 3, 4),
        {"outputs": 4, "skipped": (1, 2)},
    ),
    "SkipLayerNormalization with a broadcast skip": ("SkipLayerNormalization", [X, f(3, 8), f(8), f(8)], (1, 2, 3)),
    "SkipSimplifiedLayerNormalization": (
        "SkipSimplifiedLayerNormalization",
        [X, f(2, 3, 8), f(8)],
        (2,),
        {"outputs": 4, "skipped": (1, 2)},
    ),
    "SimplifiedLayerNormalization": (
        "SimplifiedLayerNormalization",
        [X, f(8)],
        (1,),
        {"domain": "", "axis": -1, "epsilon": 1e-6, "stash_type": 1},
    ),
    "FusedMatMul": ("FusedMatMul", [X, f(8, 5)], (1,), {"alpha": 0.5}),
    "FusedMatMul transposed": ("FusedMatMul", [f(2, 8, 3), f(2, 5, 8)], (), {"transA": 1, "transB": 1, "alpha": 0.125}),
    "FusedMatMul of batches": (
        "FusedMatMul",
        [f(3, 2, 8), f(8, 2, 5)],
        (1,),
        {"transBatchA": 1, "transBatchB": 1, "transB": 0},
    ),
    "TransposeMatMul": ("TransposeMatMul", [f(2, 8, 3), f(2, 8, 5)], (), {"transA": 1}),
    "FusedGemm": (
        "FusedGemm",
        [f(2, 8), f(5, 8), f(5)],
        (1, 2),
        {"transB": 1, "activation": "LeakyRelu", "activation_alpha": 0.2},
    ),
    "FusedConv": (
        "FusedConv",
        [f(2, 3, 7, 7), f(4, 3, 3, 3), f(4)],
        (1, 2),
        {"activation": "Relu", "pads": [1, 1, 1, 1]},
    ),
    "FusedConv with a sum": (
        "FusedConv",
        [f(2, 3, 7, 7), f(4, 3, 3, 3), f(4), f(2, 4, 5, 5)],
        (1, 2),
        {"activation": "HardSigmoid", "activation_params": [0.3, 0.4]},
    ),
    "FusedConv clipped": (
        "FusedConv",
        [f(2, 3, 7, 7), f(4, 3, 3, 3)],
        (1,),
        {"activation": "Clip", "activation_params": [-0.5, 0.5]},
    ),
    "NhwcMaxPool": ("NhwcMaxPool", [i8(2, 6, 6, 3)], (), {"kernel_shape": [2, 2], "strides": [2, 2]}),
}


@pytest.mark.parametrize("name", CASES)
def test_fused_operators_match_onnx_runtime(name):
    op, inputs, fixed, *rest = CASES[name]
    assert_same_answers(op, inputs, fixed, **(rest[0] if rest else {}))


@pytest.mark.parametrize("op", ["Gelu", "BiasGelu", "FastGelu", "QuickGelu"])
def test_half_precision_stays_half_precision(op):
    bias = f(8) if op in ("BiasGelu", "FastGelu") else None
    inputs = [value.astype(np.float16) for value in (X, bias) if value is not None]
    assert_same_answers(op, inputs, tuple(range(1, len(inputs))), atol=2e-3)


def test_channels_last_convolutions_match_channels_first_ones():
    """ONNX Runtime has no CPU kernels for the channels-last operators."""
    x, w, b, added = f(2, 7, 7, 3), f(4, 3, 3, 3), f(4), f(2, 5, 5, 4)
    first = [x.transpose(0, 3, 1, 2), w, b, added.transpose(0, 3, 1, 2)]
    one = model("FusedConv", first, (1, 2), activation="Relu")
    (expected,), _ = run_both(one, {"x0": first[0], "x3": first[3]})
    last = model("NhwcFusedConv", [x, w, b, added], (1, 2), activation="Relu")
    repair(last)
    np.testing.assert_allclose(node_tests.run(last, [x, added])[0], expected.transpose(0, 2, 3, 1), atol=1e-5)
