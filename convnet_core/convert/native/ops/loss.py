"""Loss functions."""

from __future__ import annotations

from typing import Any

from convnet_core.convert.native.helpers.tensors import rank_of, reshape_to, shape_of
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.ops.activations import log_softmax
from convnet_core.convert.native.registry import handles


@handles("NegativeLogLikelihoodLoss", 12, 13, 22)
def nll_loss(
    x: Any, target: Any, weight: Any = None, *, ignore_index: int | None = None, reduction: str = "mean"
) -> Any:
    """`x` [n, classes, ...], `target` [n, ...]; "mean" divides by the sum of the weights."""
    if rank_of(x) > 3:  # LiteRT 2.3 can transpose at most six dimensions
        sizes = shape_of(target)
        flat = [reshape_to(item, [*shape_of(item, 0, before), -1]) for item, before in ((x, 2), (target, 1))]
        loss = nll_loss(*flat, weight, ignore_index=ignore_index, reduction=reduction)
        return reshape_to(loss, sizes) if reduction == "none" else loss
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
    log_probabilities = log_softmax(scores, axis=1)
    return nll_loss(
        log_probabilities, labels, weights, ignore_index=ignore_index, reduction=reduction
    ), log_probabilities
