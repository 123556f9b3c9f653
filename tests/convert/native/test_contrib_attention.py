"""Attention and embeddings of com.microsoft, compared with ONNX Runtime's kernels."""

import numpy as np
import pytest

from convnet_core.convert.native import converter
from convnet_core.onnx_files.repairs import repair
from testing import node_tests
from testing.contrib import assert_same_answers, model, random_arrays, run_both, s, z

RNG, f, u8, i8 = random_arrays(3)

TOKENS, H = RNG.integers(0, 20, (2, 6)).astype(np.int32), 8
TABLES = [f(20, H), f(10, H), f(2, H), f(H), f(H)]
SEGMENTS = RNG.integers(0, 2, (2, 6)).astype(np.int32)
MASK = np.array([[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1]], np.int32)


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [
        ([TOKENS, SEGMENTS, *TABLES, MASK], 2),
        ([TOKENS, None, TABLES[0], TABLES[1], None, *TABLES[3:]], 2),
        ([TOKENS, SEGMENTS, *TABLES, MASK, np.flip(np.tile(np.arange(6, dtype=np.int32), (2, 1)), 1)], 3),
    ],
    ids=["mask", "tokens only", "position ids and the sum"],
)
def test_embeddings_match_onnx_runtime(inputs, outputs):
    assert_same_answers("EmbedLayerNormalization", inputs, (2, 3, 4, 5, 6), outputs=outputs, epsilon=1e-5)


E = f(2, 6, H)
PROJECTION = [f(H, 3 * H), f(3 * H)]
ATTENTIONS = {
    "no mask": ([E, *PROJECTION], {}),
    "a mask of keys": ([E, *PROJECTION, MASK], {}),
    "lengths": ([E, *PROJECTION, np.array([4, 6], np.int32)], {}),
    "ends and starts": ([E, *PROJECTION, np.array([5, 6, 1, 2], np.int32)], {}),
    "a mask of queries and keys": ([E, *PROJECTION, RNG.integers(0, 2, (2, 6, 6)).astype(np.int32)], {}),
    "causal": ([E, *PROJECTION, MASK], {"unidirectional": 1}),
    "a past": ([E, *PROJECTION, None, f(2, 2, 2, 3, 4)], {"outputs": 2, "unidirectional": 1}),
    "a bias of scores": ([E, *PROJECTION, MASK, None, f(2, 2, 6, 6)], {"scale": 0.3, "mask_filter_value": -50.0}),
    "values of another size": ([E, f(H, 2 * H + 4), f(2 * H + 4)], {"qkv_hidden_sizes": [H, H, 4]}),
}


@pytest.mark.parametrize("name", ATTENTIONS)
def test_attention_matches_onnx_runtime(name):
    inputs, attributes = ATTENTIONS[name]
    assert_same_answers("Attention", inputs, (1, 2), num_heads=2, **attributes)


HEADS = {
    "queries, keys and values": ([E, f(2, 5, H), f(2, 5, H)], {}),
    "with biases": ([E, f(2, 5, H), f(2, 5, H), f(3 * H)], {}),
    "a mask of keys": ([E, E, E, None, MASK], {"scale": 0.2}),
    "keys of another sequence": ([E, f(2, 2, 5, 4), f(2, 2, 5, 4)], {}),
    "a past": ([E, E, E, None, None, None, f(2, 2, 3, 4), f(2, 2, 3, 4)], {"outputs": 3}),
    "causal": ([E, E, E], {"unidirectional": 1}),
    "a bias of scores": ([E, E, E, None, None, f(1, 2, 6, 6)], {}),
}


@pytest.mark.parametrize("name", HEADS)
def test_multi_head_attention_matches_onnx_runtime(name):
    inputs, attributes = HEADS[name]
    assert_same_answers("MultiHeadAttention", inputs, (3,), num_heads=2, **attributes)


@pytest.mark.parametrize("packed", ["all three", "keys and values"])
def test_packed_heads_are_split(packed):
    """ONNX Runtime has no CPU kernel for packed heads: the expected output is that of the separate inputs."""
    _, k, v = parts = [f(2, 6, 2, 4) for _ in range(3)]
    flat = [part.reshape(2, 6, H) for part in parts]
    separate = model("MultiHeadAttention", flat, (), num_heads=2)
    (expected,), _ = run_both(separate, dict(zip(("x0", "x1", "x2"), flat, strict=True)))
    inputs = [np.stack(parts, 3)] if packed == "all three" else [flat[0], np.stack([k, v], 3)]
    proto = model("MultiHeadAttention", inputs, (), num_heads=2)
    repair(proto)
    np.testing.assert_allclose(node_tests.run(proto, inputs)[0], expected, atol=1e-5)


def test_quantized_attention_matches_onnx_runtime():
    inputs = [u8(2, 6, H), i8(H, 3 * H), f(3 * H), s(0.02), s(0.01), MASK, z(128), z(0, np.int8)]
    assert_same_answers("QAttention", inputs, (1, 2, 3, 4, 6, 7), num_heads=2)


def test_an_unsupported_attribute_of_attention_is_named():
    proto = model("Attention", [E, *PROJECTION], (1, 2), num_heads=2, do_rotary=1)
    repair(proto)
    (fault,) = converter.check(converter.read(proto))
    assert str(fault) == "com.microsoft.Attention-1 (node 'Attention_0'): attribute do_rotary"
