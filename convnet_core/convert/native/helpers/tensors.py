"""Shared helpers for handlers: partly known shapes, values known during tracing, reshapes and casts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.errors import ConversionError
from convnet_core.language import N_, _


def static_shape(x: Any) -> list[int | None]:
    """The dimensions, None where unknown. Creates no ops."""
    sizes: list[int | None] = list(x.shape) if isinstance(x, np.ndarray) else x.shape.as_list()
    return sizes


def shape_of(x: Any, start: int | None = None, stop: int | None = None) -> list[Any]:
    """The dimensions (or a slice of them): ints where known, int64 scalar tensors where not.

    Request only what you need: each unknown dimension adds an op to the graph.
    """
    sizes = static_shape(x)
    axes = range(len(sizes))[start:stop]
    if all(sizes[axis] is not None for axis in axes):
        return [sizes[axis] for axis in axes]
    dynamic = tf.shape(x, out_type=tf.int64)
    return [dynamic[axis] if sizes[axis] is None else sizes[axis] for axis in axes]


def size_of(x: Any, axis: int) -> Any:
    """One dimension: an int where known, else an int64 scalar tensor."""
    axis = range(rank_of(x))[axis]
    return shape_of(x, axis, axis + 1)[0]


def rank_of(x: Any) -> int:
    """The number of dimensions. Raises ConversionError if it is unknown."""
    rank = x.ndim if isinstance(x, np.ndarray) else x.shape.rank
    if rank is None:
        raise ConversionError(_("the rank of its input is unknown"))
    return int(rank)


def static_value(value: Any) -> np.ndarray[Any, Any] | None:
    """The value as an array if it is known during tracing, else None."""
    if value is None or isinstance(value, np.ndarray):
        return value
    array: np.ndarray[Any, Any] | None = tf.get_static_value(value)
    return array


def require_constant(value: Any, what: str) -> list[Any]:
    """A value as a list. Raises ConversionError, naming it as `what`, if the model computes it at run time."""
    array = static_value(value)
    if array is None:
        raise ConversionError(_("{what} must be a constant, but the model computes it", what=_(what)))
    return list(np.atleast_1d(array).tolist())


def pack_sizes(sizes: Sequence[Any]) -> Any:
    """Combine ints and scalar tensors into one int64 shape: an array if all are ints, else a tensor."""
    if all(isinstance(size, int | np.integer) for size in sizes):
        return np.array(sizes, np.int64)
    return tf.stack([tf.cast(size, tf.int64) for size in sizes])


def normalize_axes(axes: Any, rank: int) -> list[int]:
    """Axes as non-negative ints; None selects all."""
    values = range(rank) if axes is None else require_constant(axes, N_("the choice of dimensions"))
    return [int(axis) % rank if rank else 0 for axis in values]


def reshape_to(x: Any, sizes: Sequence[Any]) -> Any:
    """Reshape `x` to ints and scalar tensors. A single unknown size becomes -1, so that it needs no op."""
    unknown = [index for index, size in enumerate(sizes) if not isinstance(size, int | np.integer)]
    if len(unknown) == 1 and 0 not in [size for size in sizes if isinstance(size, int | np.integer)]:
        return tf.reshape(x, [-1 if index in unknown else int(size) for index, size in enumerate(sizes)])
    return tf.reshape(x, pack_sizes(sizes))


def rearrange(x: Any, arrange: Callable[[list[Any]], list[Any]]) -> Any:
    """Reshape `x` to `arrange(dimensions)`. A single unknown dimension becomes -1, so that it needs no op.

    `arrange` must use each dimension exactly once. It may multiply and divide them, but not depend on their values.
    """
    sizes = static_shape(x)
    if sizes.count(None) == 1 and 0 not in sizes:
        target = arrange([-1 if size is None else size for size in sizes])
        return tf.reshape(x, [max(size, -1) for size in target])  # negative: contains the unknown dimension
    return reshape_to(x, arrange(shape_of(x)))


def widen(x: Any) -> Any:
    """Cast 16-bit floats to float32, because sums in 16 bits lose precision. Leaves other dtypes unchanged."""
    narrow = x is not None and tf.as_dtype(x.dtype) in (tf.float16, tf.bfloat16)
    return tf.cast(x, tf.float32) if narrow else x


def evaluate(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function; if no argument is a graph tensor, compute its result now and return an array."""
    if any(isinstance(item, tf.Tensor) for item in arguments):
        return function(*arguments)
    with tf.init_scope():
        return function(*arguments).numpy()


def clamp(x: Any, low: Any = None, high: Any = None) -> Any:
    """Limit `x` to at least `low` and at most `high`. None means no limit.

    Integer bounds come first: TensorFlow 2.21 converts maximum(minimum(x, 6), 0), the pattern of `tf.clip_by_value`,
    to TFLite's Relu6, which LiteRT supports only for floats.
    """
    for function, bound in ((tf.maximum, low), (tf.minimum, high)):
        if bound is not None:
            x = function(bound, x) if tf.as_dtype(x.dtype).is_integer else function(x, bound)
    return x


def quotient(size: Any, by: Any) -> Any:
    """Floor division of sizes, in int32 because LiteRT 2.3 cannot divide 64-bit integers."""
    if isinstance(size, int) and isinstance(by, int):
        return size // by
    return tf.cast(tf.cast(size, tf.int32) // tf.cast(by, tf.int32), tf.int64)


def unpack(vector: Any, count: int) -> list[Any]:
    """Split a vector into scalars by slicing, because LiteRT 2.3 cannot unpack 64-bit integers."""
    return [vector[index] for index in range(count)]


def larger_size(first: Any, second: Any) -> Any:
    """The larger of two sizes, each an int or a scalar tensor."""
    if isinstance(first, int) and isinstance(second, int):
        return max(first, second)
    return tf.maximum(tf.cast(first, tf.int64), tf.cast(second, tf.int64))


def align(x: Any, y: Any, axis: int | None) -> Any:
    """Append ones to the shape of `y` so that its first dimension aligns with axis `axis` of `x`. None: unchanged."""
    if axis is None:
        return y
    trailing = rank_of(x) - axis % rank_of(x) - rank_of(y)
    return reshape_to(y, [*shape_of(y), *[1] * trailing])


def as_scalar(value: Any) -> Any:
    """A one-element tensor as a Python number if known, else as a scalar tensor."""
    array = static_value(value)
    return tf.reshape(value, []) if array is None else array.item()


def swap_axes(x: Any, axis: Any, other: int = -1) -> Any:
    """Swap two axes of `x`. The first may be a scalar tensor."""
    rank = rank_of(x)
    order = list(range(rank))
    if isinstance(axis, int):
        order[axis], order[other] = order[other], order[axis]
        return x if order == sorted(order) else tf.transpose(x, order)
    first, second = axis % rank, other % rank
    indices = tf.range(rank, dtype=axis.dtype)
    order = tf.where(indices == second, first, indices)
    return tf.transpose(x, tf.where(indices == first, tf.cast(second, axis.dtype), order))
