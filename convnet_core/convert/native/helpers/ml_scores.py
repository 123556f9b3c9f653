"""Post-processing of classifier scores in ai.onnx.ml."""

from __future__ import annotations

from typing import Any

import numpy as np

from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.errors import ConversionError
from convnet_core.language import _


def apply_post_transform(scores: Any, kind: str) -> Any:
    """Apply a post_transform of ai.onnx.ml to scores [batch, classes]."""
    match kind:
        case "NONE":
            return scores
        case "SOFTMAX":
            return tf.nn.softmax(scores)
        case "LOGISTIC":
            return tf.sigmoid(scores)
        case "PROBIT":
            return tf.math.ndtri(scores)
        case "SOFTMAX_ZERO":
            return _softmax_zero(scores)
    raise ConversionError(_("unknown post_transform {kind!r}", kind=kind))


def _softmax_zero(scores: Any) -> Any:
    """Softmax that keeps a score of zero near zero, as in ONNX Runtime (ml_common.h, ComputeSoftmaxZero)."""
    shifted = tf.exp(scores - tf.reduce_max(scores, -1, keepdims=True))
    small = tf.abs(scores) <= 1e-7
    scores = tf.where(small, scores * tf.exp(-tf.reduce_max(scores, -1, keepdims=True)), shifted)
    return scores / tf.reduce_sum(scores, -1, keepdims=True)


def class_labels(indices: Any, integers: list[int] | None, texts: list[str] | None) -> Any:
    """The labels of class indices [batch]."""
    return tf.gather(tf.constant(texts) if texts else tf.constant(np.array(integers, np.int64)), indices)
