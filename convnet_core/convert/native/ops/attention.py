"""Attention and rotary position embedding."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import onnx.helper

from convnet_core.convert.native.helpers.float16_arithmetic import step_rounding
from convnet_core.convert.native.helpers.tensors import rank_of, rearrange, reshape_to, shape_of, size_of, widen
from convnet_core.convert.native.ir import Graph
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.ops.activations import softmax
from convnet_core.convert.native.ops.control import RunSubgraph
from convnet_core.convert.native.registry import handles
from convnet_core.errors import ConversionError
from convnet_core.language import _
from convnet_core.onnx_files.tensor_types import dtype_name


@handles("Attention", 23, 24, 25, static=("nonpad_kv_seqlen",))
def attention(
    q: Any, k: Any, v: Any, attn_mask: Any = None, past_key: Any = None, past_value: Any = None,
    nonpad_kv_seqlen: Any = None, *,
    is_causal: int = 0, q_num_heads: int = 0, kv_num_heads: int = 0, left_window_size: int = -1,
    right_window_size: int = -1, scale: float | None = None, softcap: float = 0.0,
    softmax_precision: int | None = None, qk_matmul_output_mode: int = 0, dtype: str | None = None,
) -> Any:  # fmt: skip
    q, k, v = (tf.convert_to_tensor(item) for item in (q, k, v))
    flat = rank_of(q) == 3
    if flat:
        q, k, v = _split_heads(q, q_num_heads), _split_heads(k, kv_num_heads), _split_heads(v, kv_num_heads)
    present = [new if past is None else tf.concat([past, new], 2) for past, new in ((past_key, k), (past_value, v))]
    k, v = (_repeat_heads(item, q) for item in present)
    round_step = step_rounding(dtype)
    scores = raw = _scores(q, k, scale, round_step)
    if softcap:
        scores = capped = round_step(softcap * round_step(tf.tanh(round_step(scores / softcap))))
    else:
        capped = raw
    bias = _bias(q, k, attn_mask, past_key, nonpad_kv_seqlen, is_causal, left_window_size, right_window_size)
    scores = biased = scores if bias is None else round_step(scores + bias)
    probabilities = round_step(tf.cast(_probabilities(scores, softmax_precision, dtype), q.dtype))
    if bias is not None and (attn_mask is not None or nonpad_kv_seqlen is not None or left_window_size >= 0):
        masked = tf.equal(tf.reduce_max(bias, -1, keepdims=True), -math.inf)  # a fully masked row gives 0
        probabilities = tf.where(masked, tf.zeros([], probabilities.dtype), probabilities)
    y = tf.matmul(probabilities, v)
    if flat:
        y = _merge_heads(y)
    return y, *present, (raw, capped, biased, probabilities)[qk_matmul_output_mode]


@handles("FlexAttention", 1, domain="ai.onnx.preview")
def flex_attention(
    q: Any, k: Any, v: Any, *,
    scale: float | None = None, score_mod: Graph | None = None, prob_mod: Graph | None = None,
    softmax_precision: int | None = None, run: RunSubgraph, dtype: str | None = None,
) -> Any:  # fmt: skip
    """`score_mod` and `prob_mod` are subgraphs that modify the scores and the probabilities."""
    narrow, round_step = q.dtype, step_rounding(dtype)
    q, k, v = (widen(tf.convert_to_tensor(item)) for item in (q, k, v))
    k, v = _repeat_heads(k, q), _repeat_heads(v, q)
    precision = onnx.helper.tensor_dtype_to_np_dtype(softmax_precision) if softmax_precision else q.dtype
    scores = tf.cast(_scores(q, k, scale, round_step), precision)
    if score_mod is not None:
        (scores,) = run(score_mod, {score_mod.inputs[0].name: scores})
    probabilities = softmax(scores)
    if prob_mod is not None:
        (probabilities,) = run(prob_mod, {prob_mod.inputs[0].name: probabilities})
    return tf.cast(tf.matmul(round_step(tf.cast(probabilities, q.dtype)), v), narrow)


def _repeat_heads(x: Any, q: Any) -> Any:
    """Repeat keys or values for the query heads that share them (grouped-query attention)."""
    heads, kv_heads = size_of(q, 1), size_of(x, 1)
    if not isinstance(heads, int) or not isinstance(kv_heads, int):
        raise ConversionError(_("the number of heads is unknown"))
    return x if heads == kv_heads else tf.repeat(x, heads // kv_heads, axis=1)


def _probabilities(scores: Any, precision: int | None, dtype: str | None) -> Any:
    """Softmax of the scores in an ONNX dtype (`precision`), or else in the model's dtype."""
    name = dtype_name(precision) if precision else dtype
    if name == "float64":
        scores = tf.cast(scores, tf.float64)
    return softmax(step_rounding(name)(scores), dtype=name)


def _scores(q: Any, k: Any, scale: float | None, round_step: Callable[[Any], Any]) -> Any:
    """Scaled dot products of queries and keys. Both are scaled before the product to avoid overflow."""
    size = size_of(q, 3)
    root = math.sqrt(scale) if scale else size**-0.25 if isinstance(size, int) else tf.cast(size, tf.float32) ** -0.25
    root = round_step(tf.cast(root, q.dtype))
    return round_step(tf.matmul(round_step(q * root), round_step(k * root), transpose_b=True))


def _split_heads(x: Any, count: int) -> Any:
    """[batch, steps, heads * size] as [batch, heads, steps, size]."""
    return tf.transpose(rearrange(x, lambda sizes: [*sizes[:2], count, sizes[2] // count]), [0, 2, 1, 3])


def _merge_heads(x: Any) -> Any:
    return rearrange(tf.transpose(x, [0, 2, 1, 3]), lambda sizes: [*sizes[:2], sizes[2] * sizes[3]])


def _bias(q: Any, k: Any, mask: Any, past: Any, lengths: Any, is_causal: int, left: int, right: int) -> Any:
    """The value to add to the scores: the mask, and minus infinity for masked keys. None if there is no mask."""
    steps, total = size_of(q, 2), size_of(k, 2)
    keys = tf.range(tf.cast(total, tf.int64))
    before: Any = 0 if past is None else size_of(past, 2)  # keys before the first query
    if lengths is not None:
        lengths = tf.reshape(tf.cast(lengths, tf.int64), [-1, 1, 1, 1])
        before = lengths - steps
    ahead = keys - (tf.range(tf.cast(steps, tf.int64))[:, tf.newaxis] + before)  # key position relative to the query
    allowed = []
    if is_causal:
        allowed.append(ahead <= 0)
    if left >= 0:
        allowed.append(ahead >= -left)
    if right >= 0:
        allowed.append(ahead <= right)
    if lengths is not None:
        allowed.append(keys < lengths)
    if mask is not None:
        mask = _pad_mask(tf.convert_to_tensor(mask), total)
        if mask.dtype == tf.bool:
            allowed.append(mask)
    biases = [tf.where(visible, tf.zeros([], q.dtype), tf.cast(-math.inf, q.dtype)) for visible in allowed]
    if mask is not None and mask.dtype != tf.bool:
        biases.append(mask)
    return sum(biases[1:], biases[0]) if biases else None


def _pad_mask(mask: Any, total: Any) -> Any:
    """Pad a mask to all keys; the added keys are masked."""
    missing = total - size_of(mask, -1)
    if isinstance(missing, int) and missing <= 0:
        return mask
    paddings = [[0, 0]] * (rank_of(mask) - 1) + [[0, missing]]
    return tf.pad(mask, paddings, constant_values=False if mask.dtype == tf.bool else tf.cast(-math.inf, mask.dtype))


@handles("RotaryEmbedding", 23)
def rotary_embedding(
    x: Any, cos: Any, sin: Any, position_ids: Any = None, *,
    interleaved: int = 0, num_heads: int = 0, rotary_embedding_dim: int = 0,
) -> Any:  # fmt: skip
    before, flat = shape_of(x), rank_of(x) == 3
    if flat:
        x = reshape_to(x, [*before[:2], num_heads, before[2] // num_heads])
    if position_ids is not None:
        cos, sin = tf.gather(cos, position_ids), tf.gather(sin, position_ids)
    cos, sin = (tf.expand_dims(item, 2 if flat else 1) for item in (cos, sin))
    size = rotary_embedding_dim or size_of(x, 3)
    rotary_part, rest = x[..., :size], x[..., size:]
    a, b = (rotary_part[..., ::2], rotary_part[..., 1::2]) if interleaved else tf.split(rotary_part, 2, -1)
    rotated = [cos * a - sin * b, sin * a + cos * b]
    y = reshape_to(tf.stack(rotated, -1), shape_of(rotary_part)) if interleaved else tf.concat(rotated, -1)
    y = tf.concat([y, rest], -1) if rotary_embedding_dim else y
    return reshape_to(y, before) if flat else y
