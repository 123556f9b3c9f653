"""Linear attention and causal convolution: language model operators with a recurrent state."""

from __future__ import annotations

import math
from typing import Any

from convnet_core.convert.native.helpers.loops import State, run_steps
from convnet_core.convert.native.helpers.tensors import pack_sizes, reshape_to, shape_of, size_of, widen
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.registry import handles


@handles("CausalConvWithState", 27)
def causal_conv_with_state(
    x: Any, weight: Any, bias: Any = None, past_state: Any = None, *, activation: str = "none"
) -> Any:
    """A depthwise convolution over past values. Kernels are short, so it is a sum of shifted copies."""
    dtype, count = x.dtype, size_of(weight, 2)
    past = tf.pad(x[:, :, :0], [[0, 0], [0, 0], [count - 1, 0]]) if past_state is None else past_state
    extended = tf.concat([past, x], 2)
    wide, weight = widen(extended), widen(weight)
    y = 0 if bias is None else widen(bias)[:, tf.newaxis]
    for tap in range(count):
        y += weight[:, :, tap] * wide[:, :, tap : tap + 1 - count or None]
    y = tf.cast(y, dtype)
    if activation in ("silu", "swish"):
        y = tf.cast(tf.nn.silu(widen(y)), dtype)
    return y, extended[:, :, size_of(x, 2) :]


@handles("LinearAttention", 27)
def linear_attention(
    query: Any, key: Any, value: Any, past_state: Any = None, decay: Any = None, beta: Any = None, *,
    q_num_heads: int, kv_num_heads: int, scale: float = 0.0, update_rule: str = "gated_delta", chunk_size: int = 64,
) -> Any:  # fmt: skip
    """Each head has a state [keys, values] that decays by `decay` and adds the outer product of key and value.

    With the delta rule, it adds only the difference from the value stored for the key, scaled by `beta`.
    """
    dtype = query.dtype
    q, k, v = (
        _split_steps(x, heads) for x, heads in ((query, q_num_heads), (key, kv_num_heads), (value, kv_num_heads))
    )
    gates = None if decay is None else tf.exp(_split_steps(decay, kv_num_heads))[..., tf.newaxis]
    rates = None if beta is None else _split_steps(beta, size_of(beta, 2))
    depth, width = size_of(k, 3), size_of(v, 3)

    def step(number: Any, go_on: Any, state: State) -> tuple[Any, State, list[Any]]:
        memory = state[0] if gates is None else state[0] * tf.gather(gates, number)
        keys, new = tf.gather(k, number)[..., tf.newaxis], tf.gather(v, number)
        if rates is not None:
            new = tf.gather(rates, number) * (new - tf.reduce_sum(memory * keys, 2))
        memory += keys * new[:, :, tf.newaxis]
        shared = tf.repeat(memory, q_num_heads // kv_num_heads, axis=1)
        return go_on, [memory], [tf.reduce_sum(tf.gather(q, number)[..., tf.newaxis] * shared, 2)]

    batch = size_of(query, 0)
    sizes = pack_sizes([batch, kv_num_heads, depth, width])
    start = tf.zeros(sizes, q.dtype) if past_state is None else widen(past_state)
    (state,), (results,) = run_steps(step, [start], size_of(q, 0))
    y = tf.transpose(results * (scale or 1 / math.sqrt(depth)), [1, 0, 2, 3])
    flat = reshape_to(y, [batch, size_of(query, 1), q_num_heads * width])
    return tf.cast(flat, dtype), tf.cast(state, dtype if past_state is None else past_state.dtype)


def _split_steps(x: Any, heads: int) -> Any:
    """[batch, steps, heads * size] as [steps, batch, heads, size], widened to float32."""
    batch, count, width = shape_of(x)
    return tf.transpose(reshape_to(widen(x), [batch, count, heads, width // heads]), [1, 0, 2, 3])
