"""NonMaxSuppression: of boxes that overlap, those of the highest scores."""

from __future__ import annotations

from typing import Any

import numpy as np

from convnet_core.convert.native.helpers.loops import MOST_UNROLLED
from convnet_core.convert.native.helpers.tensors import as_scalar, reshape_to, shape_of
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.registry import handles

Selection = tuple[Any, Any]
"""For each batch and class the places of the boxes that stay, [rows, most], and how many they are, [rows]."""


@handles("NonMaxSuppression", 10, 11)
def non_max_suppression(
    boxes: Any,
    scores: Any,
    most: Any = None,
    iou_threshold: Any = None,
    score_threshold: Any = None,
    *,
    center_point_box: int = 0,
) -> Any:
    """Rows of batch, class and box; for each batch and class those of the highest scores first."""
    boxes, scores = tf.cast(boxes, tf.float32), tf.cast(scores, tf.float32)  # TensorFlow has no float64 of it
    if center_point_box:
        middle, size = boxes[..., :2], boxes[..., 2:]
        boxes = tf.concat([middle - size / 2, middle + size / 2], -1)
    boxes = _separate_empty_boxes(boxes)
    batch, classes, count = shape_of(scores)
    rows = reshape_to(scores, [batch * classes, count])
    limits = {
        "max_output_size": _limit(0 if most is None else as_scalar(most), count),
        "iou_threshold": _raise_threshold(0.0 if iou_threshold is None else as_scalar(iou_threshold)),
        "score_threshold": tf.cast(-np.inf if score_threshold is None else as_scalar(score_threshold), tf.float32),
    }
    several = not isinstance(batch * classes, int) or batch * classes > MOST_UNROLLED
    places, valid = (_suppress_in_loop if several else _suppress_unrolled)(boxes, rows, classes, limits)
    selected = tf.where(tf.range(limits["max_output_size"]) < valid[:, tf.newaxis])  # [kept, (row, number)], by rows
    row = tf.cast(selected[:, 0], tf.int32)
    number = tf.cast(classes, tf.int32)
    columns = [row // number, row % number, tf.gather_nd(places, selected)]
    return tf.cast(tf.stack(columns, 1), tf.int64)


def _separate_empty_boxes(boxes: Any) -> Any:
    """Boxes [batch, count, 4] with those that have no area in places of their own, where they overlap none either.

    LiteRT 2.3's NonMaxSuppressionV4 gives the same box several times where a box has no area.
    """
    height, width = boxes[..., 2:3] - boxes[..., 0:1], boxes[..., 3:4] - boxes[..., 1:2]
    outside = tf.reduce_max(tf.abs(boxes), axis=[1, 2], keepdims=True) + 1
    row = outside * (2 * tf.range(1, tf.shape(boxes)[1] + 1, dtype=boxes.dtype)[:, tf.newaxis])
    column = tf.zeros_like(row)
    return tf.where(height * width == 0, tf.concat([row, column, row + outside, column + outside], -1), boxes)


def _raise_threshold(threshold: Any) -> Any:
    """float32: a little more, as LiteRT 2.3 also drops boxes that overlap just as much as the threshold says, and ONNX
    and TensorFlow keep them.
    """
    return tf.cast(threshold, tf.float32) * (1 + 2.0**-23) + 1e-30


def _limit(most: Any, count: Any) -> Any:
    """int32: the largest number of boxes of a row."""
    if isinstance(most, int) and isinstance(count, int):
        return np.int32(min(most, count))
    return tf.cast(tf.minimum(tf.cast(most, tf.int64), tf.cast(count, tf.int64)), tf.int32)


def _suppress_row(boxes: Any, scores: Any, limits: dict[str, Any]) -> Selection:
    return tuple(tf.raw_ops.NonMaxSuppressionV4(boxes=boxes, scores=scores, pad_to_max_output_size=True, **limits))


def _suppress_unrolled(boxes: Any, rows: Any, classes: int, limits: dict[str, Any]) -> Selection:
    found = [_suppress_row(boxes[row // classes], rows[row], limits) for row in range(shape_of(rows)[0])]
    places, valid = zip(*found, strict=True)
    return tf.stack(places), tf.stack(valid)


def _suppress_in_loop(boxes: Any, rows: Any, classes: Any, limits: dict[str, Any]) -> Selection:
    """The results are joined in each turn: LiteRT 2.3 cannot run what its converter makes of `tf.map_fn` here, nor
    NonMaxSuppression of what a Gather gives in a loop.
    """
    count, classes, most = tf.shape(rows)[0], tf.cast(classes, tf.int32), limits["max_output_size"]

    def turn(row: Any, places: Any, valid: Any) -> Any:
        kept, number = _suppress_row(boxes[row // classes], rows[row], limits)
        return row + 1, tf.concat([places, kept[tf.newaxis]], 0), tf.concat([valid, number[tf.newaxis]], 0)

    _, places, valid = tf.while_loop(
        lambda row, *_: row < count,
        turn,
        (tf.constant(0), tf.zeros(tf.stack([0, most]), tf.int32), tf.zeros([0], tf.int32)),
        shape_invariants=(
            tf.TensorShape([]),
            tf.TensorShape([None, None]),
            tf.TensorShape([None]),
        ),
    )
    return places, valid
