"""NonMaxSuppression: among overlapping boxes, keep those with the highest scores."""

from __future__ import annotations

from typing import Any

import numpy as np

from convnet_core.convert.native.helpers.loops import MOST_UNROLLED
from convnet_core.convert.native.helpers.tensors import as_scalar, reshape_to, shape_of
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.registry import handles

Selection = tuple[Any, Any]
"""The indices of the selected boxes per batch and class, [rows, max_boxes], and their numbers, [rows]."""


@handles("NonMaxSuppression", 10, 11)
def non_max_suppression(
    boxes: Any,
    scores: Any,
    max_boxes: Any = None,
    iou_threshold: Any = None,
    score_threshold: Any = None,
    *,
    center_point_box: int = 0,
) -> Any:
    """Rows of batch, class and box index, ordered by score within each batch and class."""
    boxes, scores = tf.cast(boxes, tf.float32), tf.cast(scores, tf.float32)  # TensorFlow supports no float64 here
    if center_point_box:
        middle, size = boxes[..., :2], boxes[..., 2:]
        boxes = tf.concat([middle - size / 2, middle + size / 2], -1)
    boxes = _separate_empty_boxes(boxes)
    batch, classes, count = shape_of(scores)
    rows = reshape_to(scores, [batch * classes, count])
    limits = {
        "max_output_size": _limit(0 if max_boxes is None else as_scalar(max_boxes), count),
        "iou_threshold": _raise_threshold(0.0 if iou_threshold is None else as_scalar(iou_threshold)),
        "score_threshold": tf.cast(-np.inf if score_threshold is None else as_scalar(score_threshold), tf.float32),
    }
    use_loop = not isinstance(batch * classes, int) or batch * classes > MOST_UNROLLED
    indices, valid = (_suppress_in_loop if use_loop else _suppress_unrolled)(boxes, rows, classes, limits)
    selected = tf.where(tf.range(limits["max_output_size"]) < valid[:, tf.newaxis])  # [selected, (row, number)]
    row = tf.cast(selected[:, 0], tf.int32)
    number = tf.cast(classes, tf.int32)
    columns = [row // number, row % number, tf.gather_nd(indices, selected)]
    return tf.cast(tf.stack(columns, 1), tf.int64)


def _separate_empty_boxes(boxes: Any) -> Any:
    """Move boxes without area in [batch, count, 4] to positions where they overlap nothing.

    Otherwise LiteRT 2.3's NonMaxSuppressionV4 returns the same box several times.
    """
    height, width = boxes[..., 2:3] - boxes[..., 0:1], boxes[..., 3:4] - boxes[..., 1:2]
    outside = tf.reduce_max(tf.abs(boxes), axis=[1, 2], keepdims=True) + 1
    row = outside * (2 * tf.range(1, tf.shape(boxes)[1] + 1, dtype=boxes.dtype)[:, tf.newaxis])
    column = tf.zeros_like(row)
    return tf.where(height * width == 0, tf.concat([row, column, row + outside, column + outside], -1), boxes)


def _raise_threshold(threshold: Any) -> Any:
    """Raise the threshold slightly (float32): LiteRT 2.3 also drops boxes whose overlap equals it exactly, unlike
    ONNX and TensorFlow.
    """
    return tf.cast(threshold, tf.float32) * (1 + 2.0**-23) + 1e-30


def _limit(max_boxes: Any, count: Any) -> Any:
    """The largest number of boxes per row, as int32."""
    if isinstance(max_boxes, int) and isinstance(count, int):
        return np.int32(min(max_boxes, count))
    return tf.cast(tf.minimum(tf.cast(max_boxes, tf.int64), tf.cast(count, tf.int64)), tf.int32)


def _suppress_row(boxes: Any, scores: Any, limits: dict[str, Any]) -> Selection:
    return tuple(tf.raw_ops.NonMaxSuppressionV4(boxes=boxes, scores=scores, pad_to_max_output_size=True, **limits))


def _suppress_unrolled(boxes: Any, rows: Any, classes: int, limits: dict[str, Any]) -> Selection:
    results_by_row = [_suppress_row(boxes[row // classes], rows[row], limits) for row in range(shape_of(rows)[0])]
    indices, valid = zip(*results_by_row, strict=True)
    return tf.stack(indices), tf.stack(valid)


def _suppress_in_loop(boxes: Any, rows: Any, classes: Any, limits: dict[str, Any]) -> Selection:
    """Concatenate the results in each iteration. LiteRT 2.3 can run neither its conversion of `tf.map_fn` here nor
    NonMaxSuppression on the result of a Gather in a loop.
    """
    count, classes, max_boxes = tf.shape(rows)[0], tf.cast(classes, tf.int32), limits["max_output_size"]

    def iterate(row: Any, indices: Any, valid: Any) -> Any:
        row_indices, number = _suppress_row(boxes[row // classes], rows[row], limits)
        return row + 1, tf.concat([indices, row_indices[tf.newaxis]], 0), tf.concat([valid, number[tf.newaxis]], 0)

    _, indices, valid = tf.while_loop(
        lambda row, *_: row < count,
        iterate,
        (tf.constant(0), tf.zeros(tf.stack([0, max_boxes]), tf.int32), tf.zeros([0], tf.int32)),
        shape_invariants=(
            tf.TensorShape([]),
            tf.TensorShape([None, None]),
            tf.TensorShape([None]),
        ),
    )
    return indices, valid
