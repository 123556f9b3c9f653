"""The activations that the gates of recurrent layers may have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.errors import ConversionError


@dataclass(frozen=True)
class Gate:
    """An activation with its numbers. What it takes in is clipped before."""

    function: Callable[..., Any]
    numbers: tuple[float, ...]
    clip: float | None

    def __call__(self, x: Any) -> Any:
        return self.unclipped(x if self.clip is None else tf.clip_by_value(x, -self.clip, self.clip))

    def unclipped(self, x: Any) -> Any:
        """The activation alone."""
        return self.function(x, *self.numbers)


_FUNCTIONS: dict[str, tuple[Callable[..., Any], dict[str, float]]] = {
    "relu": (lambda x: tf.nn.relu(x), {}),
    "tanh": (lambda x: tf.tanh(x), {}),
    "sigmoid": (lambda x: tf.sigmoid(x), {}),
    "softsign": (lambda x: tf.nn.softsign(x), {}),
    "softplus": (lambda x: tf.nn.softplus(x), {}),
    "affine": (lambda x, alpha, beta: alpha * x + beta, {"alpha": 1.0, "beta": 0.0}),
    "leakyrelu": (lambda x, alpha: tf.where(x >= 0, x, alpha * x), {"alpha": 0.01}),
    "thresholdedrelu": (lambda x, alpha: tf.where(x >= alpha, x, tf.zeros([], x.dtype)), {"alpha": 1.0}),
    "scaledtanh": (lambda x, alpha, beta: alpha * tf.tanh(beta * x), {"alpha": 1.0, "beta": 1.0}),
    "hardsigmoid": (lambda x, alpha, beta: tf.clip_by_value(alpha * x + beta, 0, 1), {"alpha": 0.2, "beta": 0.5}),
    "elu": (lambda x, alpha: tf.where(x >= 0, x, alpha * tf.math.expm1(x)), {"alpha": 1.0}),
}
"""With the numbers that each takes, and ONNX's defaults of them."""


def gates_of(
    defaults: list[str],
    names: list[str] | None,
    alphas: list[float] | None,
    betas: list[float] | None,
    clip: float | None,
    direction: str,
) -> list[list[Gate]]:
    """For each direction the activations in ONNX's order. The alphas and betas go to those that take one, in turn."""
    ways = 2 if direction == "bidirectional" else 1
    names = names or defaults * ways
    given = {"alpha": iter(alphas or []), "beta": iter(betas or [])}
    gates = [_gate(name, given, clip or None) for name in names]
    return [gates[way * len(defaults) : (way + 1) * len(defaults)] for way in range(ways)]


def _gate(name: str, given: dict[str, Iterator[float]], clip: float | None) -> Gate:
    if name.lower() not in _FUNCTIONS:
        raise ConversionError(f"no activation {name!r}")
    function, defaults = _FUNCTIONS[name.lower()]
    return Gate(function, tuple(next(given[kind], default) for kind, default in defaults.items()), clip)
