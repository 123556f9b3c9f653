"""The embedding of words, positions and segments in a BERT model optimized by ONNX Runtime."""

from __future__ import annotations

from typing import Any

from convnet_core.convert.native.helpers.tensors import size_of
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.ops.layer_norm import layer_norm
from convnet_core.convert.native.registry import handles
from convnet_core.onnx_files.contrib import DOMAIN


@handles("EmbedLayerNormalization", 1, domain=DOMAIN)
def embed_layer_norm(
    input_ids: Any,
    segment_ids: Any,
    word_embedding: Any,
    position_embedding: Any,
    segment_embedding: Any,
    gamma: Any,
    beta: Any,
    mask: Any = None,
    position_ids: Any = None,
    *,
    epsilon: float = 1e-12,
    mask_index_type: int = 0,
    outputs: int,
) -> Any:
    """From int32 ids [batch, steps], returns [batch, steps, hidden], the masked word counts, and the sum."""
    steps = tf.range(tf.cast(size_of(input_ids, 1), tf.int32)) if position_ids is None else position_ids
    total = tf.gather(word_embedding, input_ids) + tf.gather(position_embedding, steps)
    if segment_ids is not None:
        total = total + tf.gather(segment_embedding, segment_ids)
    (y,) = layer_norm(total, gamma, beta, epsilon=epsilon, outputs=1)
    counted = tf.zeros_like(input_ids) if mask is None else mask
    return (y, tf.reduce_sum(tf.cast(counted, tf.int32), 1), total)[:outputs]
