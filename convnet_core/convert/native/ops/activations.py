"""Activation functions, elementwise and softmax-like."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable
from typing import Any

from convnet_core.convert.native.helpers.dtypes import HALVES, widen_integers
from convnet_core.convert.native.helpers.float16_arithmetic import step_rounding
from convnet_core.convert.native.helpers.tensors import align, rank_of, reshape_to, shape_of, size_of
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.registry import handles


@handles("Relu", 1, 6, 13, 14)
@widen_integers
def relu(x: Any) -> Any:
    return tf.nn.relu(x)


@handles("LeakyRelu", 1, 6, 16)
def leaky_relu(x: Any, *, alpha: float = 0.01) -> Any:
    return tf.nn.leaky_relu(x, alpha)


@handles("PRelu", 7, 9, 16)
def prelu(x: Any, slope: Any) -> Any:
    return tf.where(tf.less(x, 0), tf.multiply(x, slope), x)


@handles("PRelu", 1, 6)
def prelu_of_channels(x: Any, slope: Any) -> Any:
    return prelu(x, align(x, slope, 1) if shape_of(slope) != [1] else slope)


@handles("ThresholdedRelu", 10, 22)
def thresholded_relu(x: Any, *, alpha: float = 1.0) -> Any:
    return tf.where(tf.greater(x, alpha), x, tf.zeros([], x.dtype))


@handles("Sigmoid", 1, 6, 13)
def sigmoid(x: Any) -> Any:
    return tf.sigmoid(x)


@handles("HardSigmoid", 1, 6, 22)
def hard_sigmoid(x: Any, *, alpha: float = 0.2, beta: float = 0.5) -> Any:
    return tf.clip_by_value(x * alpha + beta, 0, 1)


@handles("HardSwish", 14, 22)
def hard_swish(x: Any) -> Any:
    return x * tf.nn.relu6(x + 3) * (1 / 6)


@handles("Elu", 1, 6, 22)
def elu(x: Any, *, alpha: float = 1.0) -> Any:
    return tf.nn.elu(x) if alpha == 1 else tf.nn.relu(x) + alpha * _negative_expm1(x)


@handles("Selu", 1, 6, 22)
def selu(x: Any, *, alpha: float | None = None, gamma: float | None = None, version: int) -> Any:
    alpha = (1.6732 if version == 1 else 1.67326319217681884765625) if alpha is None else alpha
    gamma = (1.0507 if version == 1 else 1.05070102214813232421875) if gamma is None else gamma
    return gamma * (tf.nn.relu(x) + alpha * _negative_expm1(x))


@handles("Celu", 12, 28)
def celu(x: Any, *, alpha: float = 1.0) -> Any:
    return tf.nn.relu(x) + alpha * _negative_expm1(x / alpha)


def _negative_expm1(x: Any) -> Any:
    """exp(x) - 1 where x is negative, else 0. Avoids exp of large values, whose gradient would be NaN."""
    return tf.math.expm1(tf.minimum(x, tf.zeros([], x.dtype)))


@handles("Gelu", 20)
def gelu(x: Any, *, approximate: str = "none") -> Any:
    if approximate == "none" and x.dtype == tf.float64:
        # tf.nn.gelu of TensorFlow 2.21 uses a float32 square root of 2 for every dtype
        return 0.5 * x * (1 + tf.math.erf(x / tf.constant(math.sqrt(2), tf.float64)))
    return tf.nn.gelu(x, approximate=approximate == "tanh")


@handles("Swish", 24)
def swish(x: Any, *, alpha: float = 1.0) -> Any:
    return x * tf.sigmoid(x if alpha == 1 else alpha * x)


@handles("SwiGLU", 28)
def swiglu(gate: Any, x: Any, *, alpha: float = 1.0) -> Any:
    return swish(gate, alpha=alpha) * x


@handles("Mish", 18, 22)
def mish(x: Any) -> Any:
    """x tanh(log(1 + e^x)) as x n / (n + 2) with n = e^x (e^x + 2): LiteRT's log is imprecise near 1."""
    e = tf.exp(tf.minimum(x, tf.constant(20, x.dtype)))  # beyond 20 the factor is 1 even in float64
    n = e * (e + 2)
    return x * (n / (n + 2))


@handles("Softplus", 1, 22)
def softplus(x: Any) -> Any:
    return tf.nn.relu(x) + tf.math.log1p(tf.exp(-tf.abs(x)))  # in TFLite, tf.nn.softplus overflows from 89


@handles("Softsign", 1, 22)
def softsign(x: Any) -> Any:
    return tf.nn.softsign(x)


@handles("Shrink", 9)
def shrink(x: Any, *, bias: float = 0.0, lambd: float = 0.5) -> Any:
    dtype = tf.as_dtype(x.dtype)
    wide = tf.cast(x, dtype if dtype.is_floating else tf.float64)
    inner = tf.where(wide > lambd, wide - bias, tf.zeros([], wide.dtype))
    return tf.cast(tf.where(wide < -lambd, wide + bias, inner), dtype)


@handles("Softmax", 13)
def softmax(x: Any, *, axis: int = -1, dtype: str | None = None) -> Any:
    """16-bit floats are rounded after each step, as ONNX defines it; TensorFlow rounds only at the end."""
    if dtype not in HALVES:
        return _along_axis(tf.nn.softmax, x, axis)
    round_step = step_rounding(dtype)
    exps = round_step(tf.exp(round_step(x - tf.reduce_max(x, axis, keepdims=True))))
    return round_step(exps / round_step(tf.reduce_sum(exps, axis, keepdims=True)))


@handles("LogSoftmax", 13)
def log_softmax(x: Any, *, axis: int = -1) -> Any:
    return _along_axis(tf.nn.log_softmax, x, axis)


def _along_axis(function: Callable[[Any, int], Any], x: Any, axis: int) -> Any:
    """Apply along one axis. Flatten many dimensions to three: oneDNN in TensorFlow 2.21 aborts on seven."""
    if rank_of(x) <= _MOST_DIMENSIONS:
        return function(x, axis)
    sizes, axis = shape_of(x), axis % rank_of(x)
    rows = [functools.reduce(operator.mul, part, 1) for part in (sizes[:axis], sizes[axis + 1 :])]
    return reshape_to(function(reshape_to(x, [rows[0], sizes[axis], rows[1]]), 1), sizes)


_MOST_DIMENSIONS = 5


@handles("Hardmax", 13)
def hardmax(x: Any, *, axis: int = -1) -> Any:
    size = tf.cast(size_of(x, axis), tf.int32)
    return tf.one_hot(tf.argmax(x, axis), size, axis=axis, dtype=x.dtype)


@handles("Softmax", 1, 11)
def softmax_of_rows(x: Any, *, axis: int = 1, dtype: str | None = None) -> Any:
    return _flatten_rows(functools.partial(softmax, dtype=dtype), x, axis)


@handles("LogSoftmax", 1, 11)
def log_softmax_of_rows(x: Any, *, axis: int = 1) -> Any:
    return _flatten_rows(log_softmax, x, axis)


@handles("Hardmax", 1, 11)
def hardmax_of_rows(x: Any, *, axis: int = 1) -> Any:
    return _flatten_rows(hardmax, x, axis)


def _flatten_rows(function: Callable[[Any], Any], x: Any, axis: int) -> Any:
    """Before version 13, all dimensions from `axis` on counted as one."""
    axis %= rank_of(x)
    if axis == rank_of(x) - 1:
        return function(x)
    sizes = shape_of(x)
    rows = reshape_to(x, [*sizes[:axis], functools.reduce(operator.mul, sizes[axis:])])
    return reshape_to(function(rows), sizes)
