"""Comparisons, logic operators and Where."""

from __future__ import annotations

from typing import Any

from convnet_core.convert.native.helpers.dtypes import widen_integers
from convnet_core.convert.native.helpers.tensors import align
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.registry import handles


@handles("Equal", 1, 7, 11, 13, 19)
@widen_integers
def equal(a: Any, b: Any, *, broadcast: int = 0, axis: int | None = None) -> Any:
    return tf.equal(a, align(a, b, axis))


@handles("Less", 1, 7, 9, 13)
@widen_integers
def less(a: Any, b: Any, *, broadcast: int = 0, axis: int | None = None) -> Any:
    return tf.less(a, align(a, b, axis))


@handles("Greater", 1, 7, 9, 13)
@widen_integers
def greater(a: Any, b: Any, *, broadcast: int = 0, axis: int | None = None) -> Any:
    return tf.greater(a, align(a, b, axis))


@handles("LessOrEqual", 12, 16)
@widen_integers
def less_or_equal(a: Any, b: Any) -> Any:
    return tf.less_equal(a, b)


@handles("GreaterOrEqual", 12, 16)
@widen_integers
def greater_or_equal(a: Any, b: Any) -> Any:
    return tf.greater_equal(a, b)


@handles("And", 1, 7)
def logical_and(a: Any, b: Any, *, broadcast: int = 0, axis: int | None = None) -> Any:
    return tf.logical_and(a, align(a, b, axis))


@handles("Or", 1, 7)
def logical_or(a: Any, b: Any, *, broadcast: int = 0, axis: int | None = None) -> Any:
    return tf.logical_or(a, align(a, b, axis))


@handles("Xor", 1, 7)
def logical_xor(a: Any, b: Any, *, broadcast: int = 0, axis: int | None = None) -> Any:
    return tf.not_equal(a, align(a, b, axis))


@handles("Not", 1)
def logical_not(x: Any) -> Any:
    return tf.logical_not(x)


_MOST_DIMENSIONS = 5
"""Limit of TFLite's SELECT_V2 (TensorFlow 2.21: "failed to legalize operation 'tfl.select_v2'")."""


@handles("Where", 9, 16)
@widen_integers
def where(condition: Any, x: Any, y: Any) -> Any:
    shapes = [tf.TensorShape(value.shape) for value in (condition, x, y)]
    if any(shape.rank is None for shape in shapes) or max(shape.rank for shape in shapes) <= _MOST_DIMENSIONS:
        return tf.where(condition, x, y)
    shape = tf.broadcast_dynamic_shape(tf.broadcast_dynamic_shape(tf.shape(condition), tf.shape(x)), tf.shape(y))
    flat = [tf.reshape(tf.broadcast_to(value, shape), [-1]) for value in (condition, x, y)]
    return tf.reshape(tf.where(*flat), shape)
