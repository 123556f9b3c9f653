"""Linear models of ai.onnx.ml."""

from __future__ import annotations

from typing import Any

import numpy as np

from convnet_core.convert.native.helpers.ml_scores import apply_post_transform, class_labels
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.registry import handles

_DOMAIN = "ai.onnx.ml"


@handles("LinearRegressor", 1, domain=_DOMAIN)
def linear_regressor(
    x: Any,
    *,
    coefficients: list[float],
    intercepts: list[float] | None = None,
    targets: int = 1,
    post_transform: str = "NONE",
) -> Any:
    return apply_post_transform(_linear(x, coefficients, intercepts, targets), post_transform)


@handles("LinearClassifier", 1, domain=_DOMAIN)
def linear_classifier(
    x: Any,
    *,
    coefficients: list[float],
    intercepts: list[float] | None = None,
    classlabels_ints: list[int] | None = None,
    classlabels_strings: list[str] | None = None,
    multi_class: int = 0,
    post_transform: str = "NONE",
) -> Any:
    classes = len(classlabels_strings or classlabels_ints or [])
    scores = _linear(x, coefficients, intercepts, len(intercepts) if intercepts else classes)
    if scores.shape[-1] == 1 and classes == 2:  # a single score for two classes
        second = apply_post_transform(scores, post_transform)
        index, scores = tf.cast(scores[:, 0] > 0, tf.int64), tf.concat([1 - second, second], -1)
    else:
        index, scores = tf.argmax(scores, -1), apply_post_transform(scores, post_transform)
    return class_labels(index, classlabels_ints, classlabels_strings), scores


def _linear(x: Any, coefficients: list[float], intercepts: list[float] | None, rows: int) -> Any:
    """Scores [batch, rows] of samples [batch, features]."""
    weights = np.array(coefficients, np.float32).reshape(rows, -1)
    scores = tf.linalg.matmul(tf.cast(x, tf.float32), weights, transpose_b=True)
    return scores + np.array(intercepts, np.float32) if intercepts else scores
