"""What handlers share: shapes that are known in part, values that are known now, padding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.errors import ConversionError


def static_shape(x: Any) -> list[int | None]:
    """The dimensions as far as they are known; None where not. Makes no ops."""
    sizes: list[int | None] = list(x.shape) if isinstance(x, np.ndarray) else x.shape.as_list()
    return sizes


def shape_of(x: Any, start: int | None = None, stop: int | None = None) -> list[Any]:
    """The dimensions, or those of a slice: ints where they are known, scalar tensors (int64) where not.

    Ask for those alone that are needed: each tensor is an op of the graph, needed or not.
    """
    sizes = static_shape(x)
    chosen = range(len(sizes))[start:stop]
    if all(sizes[axis] is not None for axis in chosen):
        return [sizes[axis] for axis in chosen]
    dynamic = tf.shape(x, out_type=tf.int64)
    return [dynamic[axis] if sizes[axis] is None else sizes[axis] for axis in chosen]


def size_of(x: Any, axis: int) -> Any:
    """One dimension, as `shape_of` gives it."""
    axis = range(rank_of(x))[axis]
    return shape_of(x, axis, axis + 1)[0]


def rank_of(x: Any) -> int:
    """The number of dimensions. Raises ConversionError where it is not known."""
    rank = x.ndim if isinstance(x, np.ndarray) else x.shape.rank
    if rank is None:
        raise ConversionError("the rank of its input is not known")
    return int(rank)


def static_value(value: Any) -> np.ndarray[Any, Any] | None:
    """The value as an array where it can be told now, else None."""
    if value is None or isinstance(value, np.ndarray):
        return value
    array: np.ndarray[Any, Any] | None = tf.get_static_value(value)
    return array


def require_constant(value: Any, what: str) -> list[Any]:
    """A value that has to be known now, as a list. Raises ConversionError that says what is not."""
    array = static_value(value)
    if array is None:
        raise ConversionError(f"{what} is computed by the model, and has to be a constant")
    return list(np.atleast_1d(array).tolist())


def pack_sizes(sizes: Sequence[Any]) -> Any:
    """Sizes, ints and scalar tensors mixed, as one shape: an int64 array, or a tensor."""
    if all(isinstance(size, int | np.integer) for size in sizes):
        return np.array(sizes, np.int64)
    return tf.stack([tf.cast(size, tf.int64) for size in sizes])


def normalize_axes(axes: Any, rank: int) -> list[int]:
    """Dimensions counted from the front; all of them when None."""
    given = range(rank) if axes is None else require_constant(axes, "the choice of dimensions")
    return [int(axis) % rank if rank else 0 for axis in given]


def reshape_to(x: Any, sizes: Sequence[Any]) -> Any:
    """`x` in another shape, given as ints and scalar tensors; one that is not known is left to TensorFlow."""
    unknown = [place for place, size in enumerate(sizes) if not isinstance(size, int | np.integer)]
    if len(unknown) == 1 and 0 not in [size for size in sizes if isinstance(size, int | np.integer)]:
        return tf.reshape(x, [-1 if place in unknown else int(size) for place, size in enumerate(sizes)])
    return tf.reshape(x, pack_sizes(sizes))


def rearrange(x: Any, arrange: Callable[[list[Any]], list[Any]]) -> Any:
    """`x` in the shape that a function makes of its dimensions: it uses each once, may multiply and divide them, and
    knows nothing of their values. One that is not known is left to TensorFlow, and needs no ops of its own.
    """
    sizes = static_shape(x)
    if sizes.count(None) == 1 and 0 not in sizes:
        target = arrange([-1 if size is None else size for size in sizes])
        return tf.reshape(x, [max(size, -1) for size in target])  # negative: the one with what is not known in it
    return reshape_to(x, arrange(shape_of(x)))


def widen(x: Any) -> Any:
    """float32 instead of a 16-bit float, whose sums would lose digits; anything else as it is."""
    narrow = x is not None and tf.as_dtype(x.dtype) in (tf.float16, tf.bfloat16)
    return tf.cast(x, tf.float32) if narrow else x


def evaluate(function: Callable[..., Any], *arguments: Any) -> Any:
    """The result of a function of numbers: an array, computed now, where none of them is a tensor of the graph."""
    if any(isinstance(item, tf.Tensor) for item in arguments):
        return function(*arguments)
    with tf.init_scope():
        return function(*arguments).numpy()


def clamp(x: Any, low: Any = None, high: Any = None) -> Any:
    """`x` not below `low` and not above `high`, where they are given.

    Bounds of integers come first: TensorFlow 2.21 converts maximum(minimum(x, 6), 0), which `tf.clip_by_value` makes,
    to TFLite as Relu6, and LiteRT has that for floats alone.
    """
    for function, bound in ((tf.maximum, low), (tf.minimum, high)):
        if bound is not None:
            x = function(bound, x) if tf.as_dtype(x.dtype).is_integer else function(x, bound)
    return x


def quotient(size: Any, by: Any) -> Any:
    """A size divided by another and rounded down, by way of int32: LiteRT 2.3 divides no 64-bit integers."""
    if isinstance(size, int) and isinstance(by, int):
        return size // by
    return tf.cast(tf.cast(size, tf.int32) // tf.cast(by, tf.int32), tf.int64)


def unpack(vector: Any, count: int) -> list[Any]:
    """The values of a vector as scalars, by slices: LiteRT 2.3 unpacks no 64-bit integers."""
    return [vector[place] for place in range(count)]


def larger_size(first: Any, second: Any) -> Any:
    """The larger of two sizes, ints or scalar tensors."""
    if isinstance(first, int) and isinstance(second, int):
        return max(first, second)
    return tf.maximum(tf.cast(first, tf.int64), tf.cast(second, tf.int64))


def align(x: Any, y: Any, axis: int | None) -> Any:
    """`y` with ones behind it, so that its first dimension meets dimension `axis` of `x`; as it is when None."""
    if axis is None:
        return y
    behind = rank_of(x) - axis % rank_of(x) - rank_of(y)
    return reshape_to(y, [*shape_of(y), *[1] * behind])


def as_scalar(value: Any) -> Any:
    """A tensor of one value as an int or a float where it is known, else as a scalar tensor."""
    array = static_value(value)
    return tf.reshape(value, []) if array is None else array.item()


def swap_axes(x: Any, axis: Any, other: int = -1) -> Any:
    """`x` with two dimensions in each other's place; the first may be a scalar tensor."""
    rank = rank_of(x)
    order = list(range(rank))
    if isinstance(axis, int):
        order[axis], order[other] = order[other], order[axis]
        return x if order == sorted(order) else tf.transpose(x, order)
    first, second = axis % rank, other % rank
    places = tf.range(rank, dtype=axis.dtype)
    order = tf.where(places == second, first, places)
    return tf.transpose(x, tf.where(places == first, tf.cast(second, axis.dtype), order))
