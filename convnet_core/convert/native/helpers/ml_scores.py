"""What the classifiers of ai.onnx.ml do with their scores."""

from __future__ import annotations

from typing import Any

import numpy as np

from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.errors import ConversionError


def apply_post_transform(scores: Any, kind: str) -> Any:
    """Scores [batch, classes] after a post_transform of ai.onnx.ml."""
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
    raise ConversionError(f"post_transform {kind!r} is not known")


def _softmax_zero(scores: Any) -> Any:
    """Softmax in which a score of zero stays near zero, as ONNX Runtime has it (ml_common.h, ComputeSoftmaxZero)."""
    lowered = tf.exp(scores - tf.reduce_max(scores, -1, keepdims=True))
    small = tf.abs(scores) <= 1e-7
    kept = tf.where(small, scores * tf.exp(-tf.reduce_max(scores, -1, keepdims=True)), lowered)
    return kept / tf.reduce_sum(kept, -1, keepdims=True)


def class_labels(places: Any, integers: list[int] | None, texts: list[str] | None) -> Any:
    """The labels of classes, by their places [batch]."""
    return tf.gather(tf.constant(texts) if texts else tf.constant(np.array(integers, np.int64)), places)
