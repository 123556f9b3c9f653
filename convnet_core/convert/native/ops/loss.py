"""Losses."""

from __future__ import annotations

from typing import Any

from convnet_core.convert.native.lazy import tf
from convnet_core.convert.native.registry import handles
from convnet_core.convert.native.values import rank_of


@handles("NegativeLogLikelihoodLoss", 12, 13, 22)
def nll_loss(
    x: Any, target: Any, weight: Any = None, *, ignore_index: int | None = None, reduction: str = "mean"
) -> Any:
    """`x` [n, classes, ...], `target` [n, ...]; a mean is one of the weights."""
    rank = rank_of(x)
    ignored = None if ignore_index is None else tf.equal(target, ignore_index)
    classes = target if ignored is None else tf.where(ignored, tf.zeros([], target.dtype), target)
    loss = -tf.gather(tf.transpose(x, [0, *range(2, rank), 1]), classes, batch_dims=rank - 1)
    weights = tf.ones_like(loss) if weight is None else tf.gather(weight, classes)
    if ignored is not None:
        weights = tf.where(ignored, tf.zeros([], weights.dtype), weights)
    loss = loss * weights
    if reduction == "none":
        return loss
    total = tf.reduce_sum(loss)
    return total / tf.reduce_sum(weights) if reduction == "mean" else total


@handles("SoftmaxCrossEntropyLoss", 12, 13)
def softmax_cross_entropy_loss(
    scores: Any, labels: Any, weights: Any = None, *, ignore_index: int | None = None, reduction: str = "mean"
) -> Any:
    shares = tf.nn.log_softmax(scores, 1)
    return nll_loss(shares, labels, weights, ignore_index=ignore_index, reduction=reduction), shares
