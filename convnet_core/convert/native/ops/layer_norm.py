"""Normalization along given axes, in ONNX's layout."""

from __future__ import annotations

from typing import Any

from convnet_core.convert.native.helpers.tensors import normalize_axes, rank_of, widen
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.ops.normalization import standardize
from convnet_core.convert.native.ops.pooling import abs_power, nth_root
from convnet_core.convert.native.registry import handles


def _trailing_axes(axis: int, rank: int) -> list[int]:
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
    y, mean, inverse = standardize(widen(x), _trailing_axes(axis, rank_of(x)), epsilon)
    y = tf.cast(y, x.dtype) * scale
    y = y if bias is None else y + bias
    return (y, mean, inverse)[:outputs]


@handles("RMSNormalization", 23)
def rms_norm(x: Any, scale: Any, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1) -> Any:
    wide = widen(x)
    squares = tf.reduce_mean(tf.square(wide), _trailing_axes(axis, rank_of(x)), keepdims=True)
    return tf.cast(tf.cast(wide * tf.math.rsqrt(squares + epsilon), x.dtype) * scale, scale.dtype)


@handles("LpNormalization", 1, 22)
def lp_norm(x: Any, *, axis: int = -1, p: int = 2) -> Any:
    wide = widen(x)
    norm = nth_root(tf.reduce_sum(abs_power(wide, p), axis, keepdims=True), p)
    return tf.cast(tf.math.divide_no_nan(wide, norm), x.dtype)


@handles("MeanVarianceNormalization", 9, 13)
def mean_variance_norm(x: Any, *, axes: list[int] | None = None) -> Any:
    wide, dims = widen(x), normalize_axes(axes or [0, 2, 3], rank_of(x))
    centered = wide - tf.reduce_mean(wide, dims, keepdims=True)
    deviation = tf.sqrt(tf.reduce_mean(tf.square(centered), dims, keepdims=True))
    return tf.cast(centered / (deviation + 1e-9), x.dtype)
