"""What language models without attention over all keys use: states that each step changes."""

from __future__ import annotations

import math
from typing import Any

from convnet_core.convert.native.helpers.loops import State, steps
from convnet_core.convert.native.helpers.tensors import packed, reshaped, shape_of, size_of, widened
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.registry import handles


@handles("CausalConvWithState", 27)
def causal_conv_with_state(
    x: Any, weight: Any, bias: Any = None, past_state: Any = None, *, activation: str = "none"
) -> Any:
    """Each channel by itself, looking back alone; so short that a sum of shifted copies does it."""
    dtype, count = x.dtype, size_of(weight, 2)
    past = tf.pad(x[:, :, :0], [[0, 0], [0, 0], [count - 1, 0]]) if past_state is None else past_state
    whole = tf.concat([past, x], 2)
    wide, weight = widened(whole), widened(weight)
    y = 0 if bias is None else widened(bias)[:, tf.newaxis]
    for tap in range(count):
        y += weight[:, :, tap] * wide[:, :, tap : tap + 1 - count or None]
    y = tf.cast(y, dtype)
    if activation in ("silu", "swish"):
        y = tf.cast(tf.nn.silu(widened(y)), dtype)
    return y, whole[:, :, size_of(x, 2) :]


@handles("LinearAttention", 27)
def linear_attention(
    query: Any, key: Any, value: Any, past_state: Any = None, decay: Any = None, beta: Any = None, *,
    q_num_heads: int, kv_num_heads: int, scale: float = 0.0, update_rule: str = "gated_delta", chunk_size: int = 64,
) -> Any:  # fmt: skip
    """A state of each head, [keys, values], that forgets by `decay` and takes in the outer product of key and value.

    By the delta rule it takes in only what differs from what it holds for the key, as far as `beta` says.
    """
    dtype = query.dtype
    q, k, v = (_by_step(x, heads) for x, heads in ((query, q_num_heads), (key, kv_num_heads), (value, kv_num_heads)))
    gates = None if decay is None else tf.exp(_by_step(decay, kv_num_heads))[..., tf.newaxis]
    rates = None if beta is None else _by_step(beta, size_of(beta, 2))
    depth, width = size_of(k, 3), size_of(v, 3)

    def step(number: Any, go_on: Any, state: State) -> tuple[Any, State, list[Any]]:
        held = state[0] if gates is None else state[0] * tf.gather(gates, number)
        keys, new = tf.gather(k, number)[..., tf.newaxis], tf.gather(v, number)
        if rates is not None:
            new = tf.gather(rates, number) * (new - tf.reduce_sum(held * keys, 2))
        held += keys * new[:, :, tf.newaxis]
        read = tf.repeat(held, q_num_heads // kv_num_heads, axis=1)
        return go_on, [held], [tf.reduce_sum(tf.gather(q, number)[..., tf.newaxis] * read, 2)]

    batch = size_of(query, 0)
    sizes = packed([batch, kv_num_heads, depth, width])
    start = tf.zeros(sizes, q.dtype) if past_state is None else widened(past_state)
    (state,), (results,) = steps(step, [start], size_of(q, 0))
    y = tf.transpose(results * (scale or 1 / math.sqrt(depth)), [1, 0, 2, 3])
    flat = reshaped(y, [batch, size_of(query, 1), q_num_heads * width])
    return tf.cast(flat, dtype), tf.cast(state, dtype if past_state is None else past_state.dtype)


def _by_step(x: Any, heads: int) -> Any:
    """[batch, steps, heads * size] as [steps, batch, heads, size], in 32 bits at least."""
    batch, count, whole = shape_of(x)
    return tf.transpose(reshaped(widened(x), [batch, count, heads, whole // heads]), [1, 0, 2, 3])
