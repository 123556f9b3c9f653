"""Support vector machines of ai.onnx.ml, as ONNX Runtime computes them (svmclassifier.cc, svmregressor.cc)."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np

from convnet_core.convert.native.helpers.ml_scores import apply_post_transform, class_labels
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.registry import handles
from convnet_core.errors import ConversionError
from convnet_core.language import _

_DOMAIN = "ai.onnx.ml"


@handles("SVMRegressor", 1, domain=_DOMAIN)
def svm_regressor(
    x: Any,
    *,
    coefficients: list[float],
    rho: list[float],
    n_supports: int = 0,
    support_vectors: list[float] | None = None,
    kernel_type: str = "LINEAR",
    kernel_params: list[float] | None = None,
    one_class: int = 0,
    post_transform: str = "NONE",
) -> Any:
    """One value [batch, 1] per sample, 1 or -1 with `one_class`. As in ONNX Runtime, `post_transform` has no effect."""
    weights = np.array(coefficients, np.float32)[:, None]
    x = _samples(x)
    if n_supports:
        x = _kernels(x, _rows(support_vectors or [], n_supports), kernel_type, kernel_params)
    values = tf.linalg.matmul(x, weights) + np.float32(rho[0])
    return tf.where(values > 0, 1.0, -1.0) if one_class else values


@handles("SVMClassifier", 1, domain=_DOMAIN)
def svm_classifier(
    x: Any,
    *,
    coefficients: list[float],
    rho: list[float],
    vectors_per_class: list[int] | None = None,
    support_vectors: list[float] | None = None,
    kernel_type: str = "LINEAR",
    kernel_params: list[float] | None = None,
    prob_a: list[float] | None = None,
    prob_b: list[float] | None = None,
    classlabels_ints: list[int] | None = None,
    classlabels_strings: list[str] | None = None,
    post_transform: str = "NONE",
) -> Any:
    """The labels [batch], and a score for each class, or for each pair of more than two classes without `prob_a`.

    ONNX Runtime sums pair scores in float64, this code in float32. A score near zero may therefore vote for the other
    class, and scores differ by rounding if large terms cancel. ONNX Runtime's PROBIT is an approximation, and
    undefined for the single score of two classes.
    """
    classes = len(classlabels_strings or classlabels_ints or [])
    if classes < 2:
        raise ConversionError(
            _("a classifier needs labels for at least two classes; it has {classes}", classes=classes)
        )
    x, sizes = _samples(x), vectors_per_class or []
    if not sum(sizes):
        scores = tf.linalg.matmul(x, _rows(coefficients, classes), transpose_b=True) + np.float32(rho[0])
        index = _linear_class(scores, min(coefficients) >= 0, bool(prob_a))
        scores = apply_post_transform(scores, post_transform)
    else:
        kernels = _kernels(x, _rows(support_vectors or [], sum(sizes)), kernel_type, kernel_params)
        pairs = tf.linalg.matmul(kernels, _pair_coefficients(coefficients, sizes)) + np.array(rho, np.float32)
        index = _most_votes(pairs, classes)
        scores = _svc_scores(pairs, classes, prob_a, prob_b, post_transform)
    return class_labels(index, classlabels_ints, classlabels_strings), scores


def _samples(x: Any) -> Any:
    """Samples [batch, features] in float32; a vector is one sample."""
    x = tf.cast(x, tf.float32)
    return x[None] if x.shape.rank == 1 else x


def _rows(values: list[float], rows: int) -> Any:
    """A list as a matrix with this many rows."""
    return np.array(values, np.float32).reshape(rows, -1)


def _kernels(x: Any, vectors: Any, kind: str, params: list[float] | None) -> Any:
    """The kernel [batch, vectors] of each sample with each support vector."""
    gamma, bias, degree = (np.float32(value) for value in params or (0, 0, 0))
    if kind == "RBF":
        return tf.exp(-gamma * _squared_distances(x, vectors))
    products = tf.linalg.matmul(x, vectors, transpose_b=True)
    match kind:
        case "LINEAR":
            return products
        case "POLY":
            return tf.pow(gamma * products + bias, degree)
        case "SIGMOID":
            return tf.tanh(gamma * products + bias)
    raise ConversionError(_("unknown kernel_type {kind!r}; supported are LINEAR, POLY, RBF and SIGMOID", kind=kind))


def _squared_distances(x: Any, vectors: Any) -> Any:
    """Summed feature by feature, to avoid the rounding of x² - 2xv + v² and the memory of the full difference."""
    samples, supports = tf.transpose(x), tf.constant(vectors.T)

    def add(feature: Any, total: Any) -> tuple[Any, Any]:
        difference = tf.gather(samples, feature)[:, None] - tf.gather(supports, feature)
        return feature + 1, total + difference * difference

    none = tf.zeros_like(x[:, :1]) * tf.zeros_like(supports[0])
    return tf.while_loop(lambda feature, _: feature < vectors.shape[1], add, (tf.constant(0), none))[1]


def _pair_coefficients(coefficients: list[float], sizes: list[int]) -> Any:
    """The coefficients as a matrix [vectors, pairs]. For i < j, row j - 1 of the list has those of class i against j,
    and row i those of class j against i.
    """
    table = _rows(coefficients, len(sizes) - 1)
    ends = np.cumsum(sizes)
    parts = [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]
    pairs = _pairs_of(len(sizes))
    matrix = np.zeros((ends[-1], len(pairs)), np.float32)
    for column, (i, j) in enumerate(pairs):
        matrix[parts[i], column] = table[j - 1, parts[i]]
        matrix[parts[j], column] = table[i, parts[j]]
    return matrix


def _most_votes(pairs: Any, classes: int) -> Any:
    """The class that wins the most pairs; ties go to the first. A score above zero is a vote for a pair's first."""
    first, second = (np.eye(classes, dtype=np.float32)[list(side)] for side in zip(*_pairs_of(classes), strict=True))
    won = tf.cast(pairs > 0, tf.float32)
    return tf.argmax(tf.linalg.matmul(won, first) + tf.linalg.matmul(1 - won, second), -1)


def _pairs_of(classes: int) -> list[tuple[int, int]]:
    return list(combinations(range(classes), 2))


def _linear_class(scores: Any, positive: bool, fractions: bool) -> Any:
    """The class of the highest score. Of two classes, the second if a score is high enough (ChooseClass)."""
    index = tf.argmax(scores, -1)
    if scores.shape[-1] != 2 or fractions:
        return index
    highest = tf.reduce_max(scores, -1)
    return tf.where(highest >= 0.5 if positive else highest > 0, tf.ones_like(index), index)


def _svc_scores(pairs: Any, classes: int, a: list[float] | None, b: list[float] | None, post_transform: str) -> Any:
    """Class scores from pair scores."""
    if a:
        first = tf.sigmoid(-(pairs * np.array(a, np.float32) + np.array(b, np.float32)))
        return apply_post_transform(_couple(tf.clip_by_value(first, 1e-7, 1 - 1e-7), classes), post_transform)
    if classes > 2:
        return apply_post_transform(pairs, post_transform)
    if post_transform == "PROBIT":
        raise ConversionError(
            _("PROBIT is undefined for a single score of two classes; use NONE, or prob_a and prob_b")
        )
    if post_transform == "LOGISTIC":
        return tf.sigmoid(tf.concat([-pairs, pairs], -1))
    return tf.concat([-pairs if post_transform == "NONE" else 1 - pairs, pairs], -1)


def _couple(first: Any, classes: int) -> Any:
    """Class probabilities [batch, classes] from the probabilities [batch, pairs] of each pair's first class.

    Algorithm 2 of Wu, Lin and Weng, Probability Estimates for Multi-class Classification by Pairwise Coupling, 2004.
    Like ONNX Runtime, it stops early for each sample. If rounding changes the number of rounds, the probabilities
    differ by a few thousandths.
    """
    cells = np.eye(classes * classes, dtype=np.float32)
    upper = cells[[i * classes + j for i, j in _pairs_of(classes)]]
    lower = cells[[j * classes + i for i, j in _pairs_of(classes)]]
    flat = tf.linalg.matmul(first, upper) + tf.linalg.matmul(1 - first, lower)
    won = tf.reshape(flat, [-1, classes, classes])  # of row against column
    lost = tf.transpose(won, [0, 2, 1])
    identity = np.eye(classes, dtype=np.float32)
    q = tf.reduce_sum(lost * lost, -1, keepdims=True) * identity - lost * won

    def improve(p: Any, _: Any) -> tuple[Any, Any]:
        qp = tf.linalg.matvec(q, p)
        pqp = tf.reduce_sum(p * qp, -1, keepdims=True)
        active = tf.reduce_max(tf.abs(qp - pqp), -1, keepdims=True) >= 0.005 / classes
        new = p
        for i in range(classes):
            diagonal = q[:, i, i, None]
            step = (pqp - qp[:, i, None]) / diagonal
            new = (new + step * identity[i]) / (1 + step)
            pqp = (pqp + step * (step * diagonal + 2 * qp[:, i, None])) / (1 + step) ** 2
            qp = (qp + step * q[:, i]) / (1 + step)
        return tf.where(active, new, p), tf.reduce_any(active)

    start = tf.ones_like(q[:, 0]) / classes
    return tf.while_loop(lambda _, active: active, improve, (start, tf.constant(True)), maximum_iterations=100)[0]
