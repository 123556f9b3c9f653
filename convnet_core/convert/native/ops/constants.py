"""Constants, ranges, one-hot vectors and NonZero."""

from __future__ import annotations

from typing import Any

import numpy as np

from convnet_core.convert.native.helpers.dtypes import widen_integers
from convnet_core.convert.native.helpers.shape_tensors import entries
from convnet_core.convert.native.helpers.tensors import pack_sizes, rank_of, shape_of, static_value
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.registry import handles


@handles("Constant", 1, 9, 11, 12, 13, 19, 21, 23, 24, 25)
def constant(
    *,
    value: Any = None,
    sparse_value: Any = None,
    value_float: float | None = None,
    value_floats: list[float] | None = None,
    value_int: int | None = None,
    value_ints: list[int] | None = None,
    value_string: str | None = None,
    value_strings: list[str] | None = None,
) -> Any:
    for content, dtype in (
        (value, None),
        (sparse_value, None),
        (value_float, np.float32),
        (value_floats, np.float32),
        (value_int, np.int64),
        (value_ints, np.int64),
        (value_string, object),
        (value_strings, object),
    ):
        if content is not None:
            return np.array(content, dtype)
    return np.array([], np.float32)  # an empty list of unknown type


@handles("ConstantOfShape", 9, 20, 21, 23, 24, 25)
def constant_of_shape(shape: Any, *, value: Any = None) -> Any:
    fill_value = np.float32(0) if value is None else value.reshape(())
    if static_value(shape) is None and shape.shape.num_elements() is None:
        return tf.fill(shape, fill_value)
    return tf.fill(pack_sizes(entries(shape)), fill_value)


@handles("Range", 11, 27)
def range_(start: Any, limit: Any, delta: Any, *, stash_type: int = 1) -> Any:
    dtype = tf.as_dtype(start.dtype)
    wide = {"int16": tf.int64, "float16": tf.float32, "bfloat16": tf.float32}.get(dtype.name, dtype)
    if stash_type == 11 and dtype.size == 2:
        wide = tf.float64
    start, limit, delta = (tf.cast(tf.reshape(item, []), wide) for item in (start, limit, delta))
    if wide.is_integer:
        limit = tf.where(
            delta > 0, tf.maximum(limit, start), tf.minimum(limit, start)
        )  # an empty range instead of an error
        return tf.cast(tf.range(start, limit, delta), dtype)
    count = tf.maximum(tf.math.ceil((limit - start) / delta), 0)  # ONNX's formula; tf.range accumulates rounding errors
    return tf.cast(start + tf.cast(tf.range(tf.cast(count, tf.int64)), wide) * delta, dtype)


@handles("OneHot", 9, 11, 28, static=("values",))
@widen_integers
def one_hot(indices: Any, depth: Any, values: Any, *, axis: int = -1) -> Any:
    count = static_value(depth)
    size = tf.cast(tf.reshape(depth, []), tf.int32) if count is None else int(count.item())
    positions = tf.cast(indices, tf.int64)
    positions = tf.where(positions < 0, positions + tf.cast(size, tf.int64), positions)
    axis = axis if axis >= 0 else axis + rank_of(indices) + 1  # TensorFlow accepts only -1
    return tf.one_hot(positions, size, on_value=values[1], off_value=values[0], axis=axis)


@handles("NonZero", 9, 13)
def non_zero(x: Any) -> Any:
    x = tf.reshape(x, [1]) if not shape_of(x) else x
    return tf.transpose(tf.where(x if x.dtype == tf.bool else tf.not_equal(x, tf.zeros([], x.dtype))))
