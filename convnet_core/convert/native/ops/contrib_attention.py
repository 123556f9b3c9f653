"""Attention operators fused by ONNX Runtime's optimizer, with or without the projections."""

from __future__ import annotations

from typing import Any

from convnet_core.convert.native.helpers.tensors import rank_of, rearrange, size_of
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.ops.activations import softmax
from convnet_core.convert.native.ops.linear import matmul
from convnet_core.convert.native.ops.quantization import dequantize_linear
from convnet_core.convert.native.registry import handles
from convnet_core.errors import ConversionError
from convnet_core.language import _
from convnet_core.onnx_files.contrib import DOMAIN

_MASK_VALUE = -10000.0
"""Default of `mask_filter_value`, which is added to the scores of masked keys."""


@handles("Attention", 1, domain=DOMAIN)
def attention(
    x: Any,
    weights: Any,
    bias: Any = None,
    mask_index: Any = None,
    past: Any = None,
    attention_bias: Any = None,
    *,
    num_heads: int,
    unidirectional: int = 0,
    qkv_hidden_sizes: list[int] | None = None,
    scale: float = 0.0,
    mask_filter_value: float = _MASK_VALUE,
    outputs: int,
) -> Any:
    """x [batch, steps, hidden], weights [hidden, q + k + v]; returns [batch, steps, value size] and the new state."""
    y = matmul(x, weights)
    y = y if bias is None else y + bias
    q, k, v = (_split_heads(part, num_heads) for part in tf.split(y, qkv_hidden_sizes or 3, -1))
    if past is not None:
        before = tf.unstack(past, num=2)
        k, v = (tf.concat([old, new], 2) for old, new in zip(before, (k, v), strict=True))
    result = _attend(q, k, v, mask_index, attention_bias, scale, unidirectional, mask_filter_value)
    return (result, tf.stack([k, v])) if outputs > 1 else result


@handles("QAttention", 1, domain=DOMAIN, static=("weight", "input_scale", "weight_scale", "weight_zero_point"))
def quantized_attention(
    x: Any,
    weight: Any,
    bias: Any,
    input_scale: Any,
    weight_scale: Any,
    mask_index: Any = None,
    input_zero_point: Any = None,
    weight_zero_point: Any = None,
    past: Any = None,
    *,
    num_heads: int,
    unidirectional: int = 0,
    scale: float = 0.0,
    mask_filter_value: float = _MASK_VALUE,
    outputs: int,
) -> Any:
    return attention(
        dequantize_linear(x, input_scale, input_zero_point),
        dequantize_linear(weight, weight_scale, weight_zero_point),
        bias,
        mask_index,
        past,
        num_heads=num_heads,
        unidirectional=unidirectional,
        scale=scale,
        mask_filter_value=mask_filter_value,
        outputs=outputs,
    )


@handles("MultiHeadAttention", 1, domain=DOMAIN)
def multi_head_attention(
    query: Any,
    key: Any = None,
    value: Any = None,
    bias: Any = None,
    key_padding_mask: Any = None,
    attention_bias: Any = None,
    past_key: Any = None,
    past_value: Any = None,
    *,
    num_heads: int,
    unidirectional: int = 0,
    scale: float = 0.0,
    mask_filter_value: float = _MASK_VALUE,
    outputs: int,
) -> Any:
    """Queries, keys and values [batch, steps, heads * size], or packed: [batch, steps, heads, 3 or 2, size]."""
    if key is None:
        query, key, value = (_merge_heads(part) for part in tf.unstack(query, num=3, axis=3))
    elif value is None:
        key, value = (_merge_heads(part) for part in tf.unstack(key, num=2, axis=3))
    parts = [query, key, value]
    if bias is not None:
        sizes = [size_of(part, -1) if rank_of(part) == 3 else size_of(part, 1) * size_of(part, 3) for part in parts]
        biases = tf.split(bias, sizes)
        parts = [part + item if rank_of(part) == 3 else part for part, item in zip(parts, biases, strict=True)]
    q, k, v = (_split_heads(part, num_heads) if rank_of(part) == 3 else part for part in parts)
    if past_key is not None:
        k, v = tf.concat([past_key, k], 2), tf.concat([past_value, v], 2)
    result = _attend(q, k, v, key_padding_mask, attention_bias, scale, unidirectional, mask_filter_value)
    return (result, k, v)[:outputs]


def _merge_heads(x: Any) -> Any:
    """[batch, steps, heads, size] as [batch, steps, heads * size]."""
    return rearrange(x, lambda sizes: [*sizes[:2], sizes[2] * sizes[3]])


def _split_heads(x: Any, count: int) -> Any:
    """[batch, steps, heads * size] as [batch, heads, steps, size]."""
    return tf.transpose(rearrange(x, lambda sizes: [*sizes[:2], count, sizes[2] // count]), [0, 2, 1, 3])


def _attend(
    q: Any, k: Any, v: Any, mask: Any, score_bias: Any, scale: float, unidirectional: int, mask_value: float
) -> Any:  # fmt: skip
    """q [batch, heads, steps, size], k and v [batch, heads, all steps, size]; returns [batch, steps, heads * size]."""
    size = size_of(q, 3)
    scores = tf.matmul(q, k, transpose_b=True) * tf.cast(scale or size**-0.5, q.dtype)
    before = tf.cast(size_of(k, 2) - size_of(q, 2), tf.int32)  # steps of the past
    keys, queries = tf.range(tf.cast(size_of(k, 2), tf.int32)), tf.range(tf.cast(size_of(q, 2), tf.int32)) + before
    if mask is not None:
        visible = _visible_keys(tf.cast(mask, tf.int32), size_of(q, 0), keys, queries)
        scores = scores + tf.where(visible, tf.zeros([], q.dtype), tf.cast(mask_value, q.dtype))
    if unidirectional:
        scores = tf.where(keys <= tf.expand_dims(queries, 1), scores, q.dtype.min)
    if score_bias is not None:
        scores = scores + score_bias
    return _merge_heads(tf.transpose(tf.matmul(softmax(scores), v), [0, 2, 1, 3]))


def _visible_keys(mask: Any, batch: Any, keys: Any, queries: Any) -> Any:
    """Which keys each query can see, [batch, 1, steps or 1, all steps], from a mask of 1 to 4 dimensions."""
    match rank_of(mask):
        case 1:  # the end of each sequence, optionally followed by the starts
            batch = tf.cast(batch, tf.int32)
            ends = tf.slice(mask, [0], [batch])
            starts = tf.slice(tf.concat([tf.slice(mask, [batch], [-1]), tf.zeros_like(ends)], 0), [0], [batch])
            ends, starts = (tf.reshape(item, [-1, 1, 1, 1]) for item in (ends, starts))
            return tf.logical_and(keys >= starts, keys < ends)
        case 2:
            return tf.expand_dims(tf.expand_dims(mask, 1), 1) > 0
        case 3:
            return tf.expand_dims(mask, 1) > 0
        case 4:
            return tf.gather(tf.gather(mask, queries, axis=2), keys, axis=3) > 0
    raise ConversionError(_("a mask with {count} dimensions: 1 to 4 are supported", count=rank_of(mask)))
