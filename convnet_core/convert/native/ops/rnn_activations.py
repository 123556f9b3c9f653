"""Activation functions for the gates of recurrent layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.errors import ConversionError
from convnet_core.language import _


@dataclass(frozen=True)
class Gate:
    """An activation function with its parameters. Its input is clipped first if `clip` is set."""

    function: Callable[..., Any]
    parameters: tuple[float, ...]
    clip: float | None

    def __call__(self, x: Any) -> Any:
        return self.unclipped(x if self.clip is None else tf.clip_by_value(x, -self.clip, self.clip))

    def unclipped(self, x: Any) -> Any:
        """Apply the activation without clipping."""
        return self.function(x, *self.parameters)


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
"""By name: the function and ONNX's defaults for its parameters."""


def gates_of(
    defaults: list[str],
    names: list[str] | None,
    alphas: list[float] | None,
    betas: list[float] | None,
    clip: float | None,
    direction: str,
) -> list[list[Gate]]:
    """Each direction's activations in ONNX's order. Activations with an alpha or beta take them in order."""
    directions = 2 if direction == "bidirectional" else 1
    names = names or defaults * directions
    values = {"alpha": iter(alphas or []), "beta": iter(betas or [])}
    gates = [_gate(name, values, clip or None) for name in names]
    return [gates[side * len(defaults) : (side + 1) * len(defaults)] for side in range(directions)]


def _gate(name: str, values: dict[str, Iterator[float]], clip: float | None) -> Gate:
    if name.lower() not in _FUNCTIONS:
        raise ConversionError(_("unknown activation {name!r}", name=name))
    function, defaults = _FUNCTIONS[name.lower()]
    return Gate(function, tuple(next(values[kind], default) for kind, default in defaults.items()), clip)
