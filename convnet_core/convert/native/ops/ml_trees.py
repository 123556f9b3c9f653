"""Ensembles of decision trees, as scikit-learn, XGBoost and LightGBM export them."""

from __future__ import annotations

from typing import Any

import numpy as np

from convnet_core.convert.native.helpers import decision_trees
from convnet_core.convert.native.helpers.ml_scores import apply_post_transform, class_labels
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.registry import handles

_DOMAIN = "ai.onnx.ml"


@handles("TreeEnsembleRegressor", 1, 3, domain=_DOMAIN)
def tree_ensemble_regressor(
    x: Any, *, n_targets: int, aggregate_function: str = "SUM", post_transform: str = "NONE", **nodes: Any
) -> Any:
    dtype = _dtype(x)
    totals = decision_trees.forest_of_nodes(n_targets, "target", nodes, dtype).values(x, aggregate_function)
    base = decision_trees.float_attribute(nodes, "base_values", dtype)
    return apply_post_transform(tf.cast(totals + base if base.size else totals, tf.float32), post_transform)


@handles("TreeEnsembleClassifier", 1, 3, domain=_DOMAIN)
def tree_ensemble_classifier(
    x: Any,
    *,
    classlabels_int64s: list[int] | None = None,
    classlabels_strings: list[str] | None = None,
    post_transform: str = "NONE",
    **nodes: Any,
) -> Any:
    dtype = _dtype(x)
    classes = len(classlabels_strings or classlabels_int64s or [])
    totals = decision_trees.forest_of_nodes(classes, "class", nodes, dtype).values(x)
    base = decision_trees.float_attribute(nodes, "base_values", dtype)
    used = set(nodes["class_ids"])
    if classes == 2 and len(used) == 1:  # a single score for two classes
        score = totals[:, used.pop()] + (base[-1] if base.size else 0)
        fractions = bool((decision_trees.float_attribute(nodes, "class_weights", dtype) >= 0).all())
        index, scores = _binary_result(tf.cast(score, tf.float32), fractions, post_transform)
    else:
        scores = tf.cast(totals + base if base.size else totals, tf.float32)
        index, scores = tf.argmax(scores, -1), apply_post_transform(scores, post_transform)
    return class_labels(index, classlabels_int64s, classlabels_strings), scores


def _binary_result(score: Any, fractions: bool, post_transform: str) -> tuple[Any, Any]:
    """The class and both scores, from the score of the second class.

    The threshold is 0.5 if no weight is negative (the score is a fraction), else 0. These are ONNX Runtime's rules
    (tree_ensemble_aggregator.h).
    """
    index = tf.cast(score > (0.5 if fractions else 0), tf.int64)
    if post_transform == "LOGISTIC":
        return index, tf.sigmoid(tf.stack([-score, score], -1))
    return index, tf.stack([1 - score if fractions else -score, score], -1)


_AGGREGATES = ("AVERAGE", "SUM", "MIN", "MAX")
_TRANSFORMS = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")


@handles("TreeEnsemble", 5, domain=_DOMAIN)
def tree_ensemble(x: Any, *, aggregate_function: int = 1, post_transform: int = 0, **nodes: Any) -> Any:
    totals = decision_trees.forest_of_branches(nodes).values(x, _AGGREGATES[aggregate_function])
    return apply_post_transform(totals, _TRANSFORMS[post_transform])


def _dtype(x: Any) -> Any:
    """The dtype for comparing thresholds: float64 for float64 inputs, else float32."""
    return np.float64 if x.dtype == tf.float64 else np.float32
