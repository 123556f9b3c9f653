"""Normalization over space, channels or groups of channels; channels last: x [n, *space, c]."""

from __future__ import annotations

import math
from typing import Any

from convnet_core.convert.native.helpers.channels_last import handles_spatial
from convnet_core.convert.native.helpers.tensors import rank_of, rearrange, reshape_to, shape_of, size_of, widen
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.passes.channels_last import DOMAIN, to_first, to_last
from convnet_core.convert.native.registry import handles
from convnet_core.errors import ConversionError
from convnet_core.language import _


@handles("BatchNormalization", 1, 6, 7, 9, domain=DOMAIN)
def batch_norm_7(
    x: Any,
    scale: Any,
    bias: Any,
    mean: Any,
    variance: Any,
    *,
    consumed_inputs: list[int] | None = None,
    epsilon: float = 1e-5,
    is_test: int = 1,
    momentum: float = 0.9,
    spatial: int = 1,
    outputs: int,
) -> Any:
    if outputs > 1:
        raise ConversionError(_("batch normalization in training mode is supported from version 14 on"))
    if spatial:
        return batch_norm(x, scale, bias, mean, variance, epsilon=epsilon)
    order = [*range(1, rank_of(x) - 1), 0]  # statistics [channels, *space] are per position
    scale, bias, mean, variance = (tf.transpose(item, order) for item in (scale, bias, mean, variance))
    return _scale_and_shift(x, scale, bias, mean, variance, epsilon)


@handles("BatchNormalization", 1, 6, 7, 9)
def batch_norm_7_first(x: Any, *statistics: Any, outputs: int, **attributes: Any) -> Any:
    """In ONNX's layout: x has rank 2, or a rank known only during tracing."""
    rank = rank_of(x)
    y = batch_norm_7(tf.transpose(x, to_last(rank)), *statistics, outputs=outputs, **attributes)
    return tf.transpose(y, to_first(rank))


def _scale_and_shift(x: Any, scale: Any, bias: Any, mean: Any, variance: Any, epsilon: float) -> Any:
    """Apply scale and shift with statistics that broadcast to x."""
    wide = widen(x)
    scale, bias, mean, variance = (tf.cast(item, wide.dtype) for item in (scale, bias, mean, variance))
    factor = scale * tf.math.rsqrt(variance + epsilon)
    return tf.cast(wide * factor + (bias - mean * factor), x.dtype)


@handles("BatchNormalization", 14, 15, domain=DOMAIN)
def batch_norm(
    x: Any,
    scale: Any,
    bias: Any,
    mean: Any,
    variance: Any,
    *,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    training_mode: int = 0,
) -> Any:
    wide, rank = widen(x), rank_of(x)
    if wide.dtype != tf.float32 or rank not in (4, 5):
        return _scale_and_shift(x, scale, bias, mean, variance, epsilon)
    scale, bias, mean, variance = (tf.cast(item, wide.dtype) for item in (scale, bias, mean, variance))
    images = wide if rank == 4 else rearrange(wide, lambda sizes: [*sizes[:2], sizes[2] * sizes[3], sizes[4]])
    # A single op, which TensorFlow fuses with a preceding convolution and TFLite folds into it.
    y = tf.raw_ops.FusedBatchNormV3(
        x=images, scale=scale, offset=bias, mean=mean, variance=variance, epsilon=epsilon, is_training=False
    ).y  # tf.nn.fused_batch_norm rejects an epsilon below 1.001e-5
    return tf.cast(y if rank == 4 else reshape_to(y, shape_of(x)), x.dtype)


@handles("BatchNormalization", 14, 15)
def batch_norm_first(
    x: Any,
    scale: Any,
    bias: Any,
    mean: Any,
    variance: Any,
    *,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    training_mode: int = 0,
) -> Any:
    """In ONNX's layout: x has rank 2, or training mode, which also returns the new mean and variance."""
    rank = rank_of(x)
    order = to_last(rank) if rank > 2 else list(range(rank))
    last = tf.transpose(x, order)
    if training_mode:
        batch = tf.nn.moments(widen(last), list(range(rank - 1)))
        new = [tf.cast(value, old.dtype) for value, old in zip(batch, (mean, variance), strict=True)]
        y = batch_norm(last, scale, bias, *batch, epsilon=epsilon)
        running = [old * momentum + value * (1 - momentum) for old, value in zip((mean, variance), new, strict=True)]
        return tf.transpose(y, to_first(rank) if rank > 2 else order), *running
    y = batch_norm(last, scale, bias, mean, variance, epsilon=epsilon)
    return tf.transpose(y, to_first(rank) if rank > 2 else order)


def standardize(x: Any, axes: list[int], epsilon: float) -> tuple[Any, Any, Any]:
    """x scaled to mean 0 and variance 1 along `axes`, the mean, and the inverse standard deviation."""
    mean = tf.reduce_mean(x, axes, keepdims=True)
    centered = x - mean
    inverse = tf.math.rsqrt(tf.reduce_mean(tf.square(centered), axes, keepdims=True) + epsilon)
    return centered * inverse, mean, inverse


@handles_spatial("InstanceNormalization", 1, 6, 22)
def instance_norm(
    x: Any, scale: Any, bias: Any, *, consumed_inputs: list[int] | None = None, epsilon: float = 1e-5
) -> Any:
    y, _, _ = standardize(widen(x), list(range(1, rank_of(x) - 1)), epsilon)
    return tf.cast(y * widen(scale) + widen(bias), x.dtype)


@handles_spatial("GroupNormalization", 18)
def group_norm_18(x: Any, scale: Any, bias: Any, *, num_groups: int, epsilon: float = 1e-5) -> Any:
    """`scale` and `bias` have one value per group."""
    each = size_of(x, -1) // num_groups
    scale, bias = (tf.repeat(item, each) for item in (scale, bias))
    return group_norm(x, scale, bias, num_groups=num_groups, epsilon=epsilon)


@handles_spatial("GroupNormalization", 21)
def group_norm(
    x: Any, scale: Any = None, bias: Any = None, *, num_groups: int, epsilon: float = 1e-5, stash_type: int = 1
) -> Any:
    """`scale` and `bias` are None for nodes made by the pass `fuse_group_norm`; ONNX requires them."""
    n, *space, channels = sizes = shape_of(x)
    groups = reshape_to(widen(x), [n, math.prod(space), num_groups, channels // num_groups])
    y, _, _ = standardize(groups, [1, 3], epsilon)
    y = reshape_to(y, sizes)
    return tf.cast(y if scale is None else y * widen(scale) + widen(bias), x.dtype)


@handles_spatial("LRN", 1, 13)
def local_response_norm(x: Any, *, size: int, alpha: float = 1e-4, beta: float = 0.75, bias: float = 1.0) -> Any:
    wide = widen(x)
    if size % 2 and wide.dtype == tf.float32 and rank_of(x) == 4:
        return tf.cast(tf.nn.local_response_normalization(wide, size // 2, bias, alpha / size, beta), x.dtype)
    before = (size - 1) // 2
    channels = size_of(x, -1)
    squares = tf.pad(tf.square(wide), [*[[0, 0]] * (rank_of(x) - 1), [before, size - 1 - before]])
    total = tf.add_n([squares[..., index : index + channels] for index in range(size)])
    return tf.cast(wide / (bias + alpha / size * total) ** beta, x.dtype)
