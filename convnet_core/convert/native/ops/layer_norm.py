"""Normalisation along given dimensions, in ONNX's layout."""

from __future__ import annotations

from typing import Any

from convnet_core.convert.native.helpers.tensors import axes_of, rank_of, widened
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.ops.normalization import standardized
from convnet_core.convert.native.ops.pooling import powered, rooted
from convnet_core.convert.native.registry import handles


def _from(axis: int, rank: int) -> list[int]:
    return list(range(axis % rank, rank))


@handles("LayerNormalization", 17)
def layer_norm(
    x: Any,
    scale: Any,
    bias: Any = None,
    *,
    axis: int = -1,
    epsilon: float = 1e-5,
    stash_type: int = 1,
    outputs: int,
) -> Any:
    y, mean, inverse = standardized(widened(x), _from(axis, rank_of(x)), epsilon)
    y = tf.cast(y, x.dtype) * scale
    y = y if bias is None else y + bias
    return (y, mean, inverse)[:outputs]


@handles("RMSNormalization", 23)
def rms_norm(x: Any, scale: Any, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1) -> Any:
    wide = widened(x)
    squares = tf.reduce_mean(tf.square(wide), _from(axis, rank_of(x)), keepdims=True)
    return tf.cast(tf.cast(wide * tf.math.rsqrt(squares + epsilon), x.dtype) * scale, scale.dtype)


@handles("LpNormalization", 1, 22)
def lp_norm(x: Any, *, axis: int = -1, p: int = 2) -> Any:
    wide = widened(x)
    norm = rooted(tf.reduce_sum(powered(wide, p), axis, keepdims=True), p)
    return tf.cast(tf.math.divide_no_nan(wide, norm), x.dtype)


@handles("MeanVarianceNormalization", 9, 13)
def mean_variance_norm(x: Any, *, axes: list[int] | None = None) -> Any:
    wide, along = widened(x), axes_of(axes or [0, 2, 3], rank_of(x))
    centred = wide - tf.reduce_mean(wide, along, keepdims=True)
    deviation = tf.sqrt(tf.reduce_mean(tf.square(centred), along, keepdims=True))
    return tf.cast(centred / (deviation + 1e-9), x.dtype)
