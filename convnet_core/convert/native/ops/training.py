"""Optimizer steps. Inputs: learning rate, step count, then tensors, their gradients and optimizer state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.registry import handles

_DOMAIN = "ai.onnx.preview.training"


def _for_each_tensor(step: Callable[..., tuple[Any, ...]], inputs: tuple[Any, ...], kinds: int) -> tuple[Any, ...]:
    """Apply a step to each tensor. Inputs and results are grouped by kind: all tensors, then all gradients, ..."""
    count = len(inputs) // kinds
    results = [step(*inputs[index::count]) for index in range(count)]
    return tuple(result for kind in zip(*results, strict=True) for result in kind)


@handles("Adagrad", 1, domain=_DOMAIN)
def adagrad(
    rate: Any,
    steps: Any,
    *inputs: Any,
    decay_factor: float = 0.0,
    epsilon: float = 1e-6,
    norm_coefficient: float = 0.0,
) -> Any:
    def step(x: Any, gradient: Any, squares: Any) -> tuple[Any, ...]:
        current = rate / (1 + tf.cast(steps, x.dtype) * decay_factor)
        gradient = norm_coefficient * x + gradient
        squares = squares + gradient * gradient
        return x - current * gradient / (tf.sqrt(squares) + epsilon), squares

    return _for_each_tensor(step, inputs, 3)


@handles("Adam", 1, domain=_DOMAIN)
def adam(
    rate: Any,
    steps: Any,
    *inputs: Any,
    alpha: float = 0.9,
    beta: float = 0.999,
    epsilon: float = 1e-6,
    norm_coefficient: float = 0.0,
    norm_coefficient_post: float = 0.0,
) -> Any:
    def step(x: Any, gradient: Any, mean: Any, squares: Any) -> tuple[Any, ...]:
        count = tf.cast(steps, x.dtype)
        corrected = rate * tf.sqrt(1 - beta**count) / (1 - alpha**count)
        gradient = norm_coefficient * x + gradient
        mean = alpha * mean + (1 - alpha) * gradient
        squares = beta * squares + (1 - beta) * gradient * gradient
        current = tf.where(count > 0, corrected, rate)
        x = x - current * mean / (tf.sqrt(squares) + epsilon)
        return (1 - norm_coefficient_post) * x, mean, squares

    return _for_each_tensor(step, inputs, 4)


@handles("Momentum", 1, domain=_DOMAIN)
def momentum(rate: Any, steps: Any, *inputs: Any, alpha: float, beta: float, mode: str, norm_coefficient: float) -> Any:
    def step(x: Any, gradient: Any, speed: Any) -> tuple[Any, ...]:
        gradient = norm_coefficient * x + gradient
        share = tf.where(tf.greater(steps, 0), tf.cast(beta, x.dtype), tf.ones([], x.dtype))
        speed = alpha * speed + share * gradient
        return x - rate * (gradient + alpha * speed if mode == "nesterov" else speed), speed

    return _for_each_tensor(step, inputs, 3)
