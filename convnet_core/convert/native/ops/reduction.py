"""Reductions, ArgMax and ArgMin, and cumulative sums and products."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from convnet_core.convert.native.helpers.dtypes import INTEGERS, cast_around, widen_integers
from convnet_core.convert.native.helpers.integer_arithmetic import divide
from convnet_core.convert.native.helpers.tensors import as_scalar, rank_of, reshape_to, shape_of, size_of, static_value
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.ops.top_k_unique_nms import top_k
from convnet_core.convert.native.registry import handles

Reduction = Callable[[Any, Any, bool], Any]
"""A function of a tensor, the axes (None: all) and whether to keep them as dimensions of size 1."""


def _reduction(
    op: str, attribute_versions: tuple[int, ...], input_versions: tuple[int, ...]
) -> Callable[[Reduction], Reduction]:
    """Register a reduction whose axes are an attribute in early versions and an input in later ones."""

    def register(function: Reduction) -> Reduction:
        reduce = widen_integers(function)

        @handles(op, *attribute_versions)
        def with_attribute(x: Any, *, axes: list[int] | None = None, keepdims: int = 1) -> Any:
            return _merge_and_reduce(reduce, x, axes or None, bool(keepdims))

        @handles(op, *input_versions)
        def with_input(x: Any, axes: Any = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0) -> Any:
            if axes is None or axes.shape == (0,):
                return reduce(x, [] if noop_with_empty_axes else None, bool(keepdims))
            known_axes = static_value(axes)
            # TFLite's converter requires 32-bit axes for a mean along computed axes
            return _merge_and_reduce(
                reduce, x, tf.cast(axes, tf.int32) if known_axes is None else known_axes.tolist(), bool(keepdims)
            )

        return reduce

    return register


_MOST_DIMENSIONS = 6
"""Most dimensions that XNNPACK in LiteRT 2.3 can reduce; it rejects a file with more."""


def _merge_and_reduce(reduce: Reduction, x: Any, axes: Any, keep: bool) -> Any:
    """Merge adjacent axes of a tensor with many dimensions, then reduce."""
    sizes = shape_of(x) if isinstance(axes, list) and rank_of(x) > _MOST_DIMENSIONS else []
    merged = sorted(axis % len(sizes) for axis in axes) if sizes else []
    if not merged or merged != list(range(merged[0], merged[-1] + 1)):
        return reduce(x, axes, keep)
    before, after = sizes[: merged[0]], sizes[merged[-1] + 1 :]
    parts = [math.prod(part) for part in (before, sizes[merged[0] : merged[-1] + 1], after)]
    return reshape_to(reduce(reshape_to(x, parts), [1], False), [*before, *([1] * len(merged) if keep else []), *after])


def _in_float64(function: Callable[[Any], Any], x: Any) -> Any:
    """Compute integers in float64: TensorFlow has no integer roots and logarithms, and rounds integer means."""
    return cast_around(function, x, when=INTEGERS, to=tf.float64)


@_reduction("ReduceSum", (1, 11), (13,))
def reduce_sum(x: Any, axes: Any, keep: bool) -> Any:
    return tf.reduce_sum(x, axes, keep)


@_reduction("ReduceMean", (1, 11, 13), (18,))
def reduce_mean(x: Any, axes: Any, keep: bool) -> Any:
    """Integer means round toward zero."""
    if x.dtype not in (tf.int32, tf.int64):
        return _in_float64(lambda x: tf.reduce_mean(x, axes, keep), x)
    wide = tf.cast(x, tf.int64)
    count = tf.maximum(tf.reduce_sum(tf.ones_like(wide), axes, keep), 1)
    return tf.cast(divide(tf.reduce_sum(wide, axes, keep), count), x.dtype)


@_reduction("ReduceMax", (1, 11, 12, 13), (18, 20))
def reduce_max(x: Any, axes: Any, keep: bool) -> Any:
    return tf.reduce_any(x, axes, keep) if x.dtype == tf.bool else tf.reduce_max(x, axes, keep)


@_reduction("ReduceMin", (1, 11, 12, 13), (18, 20))
def reduce_min(x: Any, axes: Any, keep: bool) -> Any:
    return tf.reduce_all(x, axes, keep) if x.dtype == tf.bool else tf.reduce_min(x, axes, keep)


@_reduction("ReduceProd", (1, 11, 13), (18,))
def reduce_prod(x: Any, axes: Any, keep: bool) -> Any:
    return tf.reduce_prod(x, axes, keep)


@_reduction("ReduceL1", (1, 11, 13), (18,))
def reduce_l1(x: Any, axes: Any, keep: bool) -> Any:
    return tf.reduce_sum(tf.identity(x) if tf.as_dtype(x.dtype).is_unsigned else tf.abs(x), axes, keep)


@_reduction("ReduceL2", (1, 11, 13), (18,))
def reduce_l2(x: Any, axes: Any, keep: bool) -> Any:
    return _in_float64(lambda x: tf.sqrt(tf.reduce_sum(tf.square(x), axes, keep)), x)


@_reduction("ReduceSumSquare", (1, 11, 13), (18,))
def reduce_sum_square(x: Any, axes: Any, keep: bool) -> Any:
    return tf.reduce_sum(tf.multiply(x, x), axes, keep)  # tf.square does not support small integers


@_reduction("ReduceLogSum", (1, 11, 13), (18, 28))
def reduce_log_sum(x: Any, axes: Any, keep: bool) -> Any:
    return _in_float64(lambda x: tf.math.log(tf.reduce_sum(x, axes, keep)), x)


@_reduction("ReduceLogSumExp", (1, 11, 13), (18, 28))
def reduce_log_sum_exp(x: Any, axes: Any, keep: bool) -> Any:
    return _in_float64(lambda x: tf.reduce_logsumexp(x, axes, keep), x)


@handles("ArgMax", 1, 11, 12, 13)
@widen_integers
def argmax(x: Any, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Any:
    return _best_index(True, x, axis, keepdims, select_last_index)


@handles("ArgMin", 1, 11, 12, 13)
@widen_integers
def argmin(x: Any, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Any:
    return _best_index(False, x, axis, keepdims, select_last_index)


def _best_index(largest: bool, x: Any, axis: int, keep: int, last: int) -> Any:
    index = _first_index(largest, tf.reverse(x, [axis]) if last else x, axis)
    if last:
        index = size_of(x, axis) - 1 - index
    return tf.expand_dims(index, axis) if keep else index


def _first_index(largest: bool, x: Any, axis: int) -> Any:
    """Uses TopK for int64, which LiteRT 2.3's ArgMax does not support."""
    if x.dtype == tf.int64:
        return tf.squeeze(top_k(x, np.array(1), axis=axis, largest=largest)[1], axis)
    return (tf.argmax if largest else tf.argmin)(x, axis)


@handles("CumSum", 11, 14)
@widen_integers
def cumsum(x: Any, axis: Any, *, exclusive: int = 0, reverse: int = 0) -> Any:
    return tf.cumsum(x, as_scalar(axis), bool(exclusive), bool(reverse))


@handles("CumProd", 26)
@widen_integers
def cumprod(x: Any, axis: Any, *, exclusive: int = 0, reverse: int = 0) -> Any:
    return tf.math.cumprod(x, as_scalar(axis), bool(exclusive), bool(reverse))
