"""Dropout: the identity, unless the model is in training mode."""

from __future__ import annotations

from typing import Any

from convnet_core.convert.native.helpers.tensors import static_value
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.registry import handles


@handles("Dropout", 1, 6)
def dropout_1(
    x: Any, *, consumed_inputs: list[int] | None = None, is_test: int = 0, ratio: float = 0.5, outputs: int
) -> Any:
    return _pass_through(x, outputs, x.dtype)  # converted models are for inference


@handles("Dropout", 7)
def dropout_7(x: Any, *, ratio: float = 0.5, outputs: int) -> Any:
    return _pass_through(x, outputs, x.dtype)


@handles("Dropout", 10)
def dropout_10(x: Any, *, ratio: float = 0.5, outputs: int) -> Any:
    return _pass_through(x, outputs, tf.bool)


def _pass_through(x: Any, outputs: int, dtype: Any) -> Any:
    y = tf.identity(x)
    return y if outputs == 1 else (y, tf.ones_like(x, dtype))


@handles("Dropout", 12, 13, 22, static=("ratio", "training_mode"), random=True)
def dropout(x: Any, ratio: Any = None, training_mode: Any = None, *, seed: int | None = None, outputs: int) -> Any:
    training = static_value(training_mode)
    if training_mode is None or (training is not None and not training):
        return _pass_through(x, outputs, tf.bool)
    rate = tf.cast(0.5 if ratio is None else ratio, tf.float32)
    samples = tf.random.uniform(tf.shape(x), seed=seed)
    mask = tf.logical_or(samples >= rate, tf.logical_not(tf.cast(training_mode, tf.bool)))
    scale = tf.where(tf.cast(training_mode, tf.bool), 1 / (1 - rate), 1.0)
    y = tf.where(mask, x * tf.cast(scale, x.dtype), tf.zeros_like(x))
    return y if outputs == 1 else (y, mask)
