"""TF-IDF counts of token n-grams."""

from __future__ import annotations

from typing import Any

import numpy as np

from convnet_core.convert.native.helpers.tensors import rank_of
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.registry import handles


@handles("TfIdfVectorizer", 9)
def tf_idf_vectorizer(
    x: Any,
    *,
    max_gram_length: int,
    max_skip_count: int,
    min_gram_length: int,
    mode: str,
    ngram_counts: list[int],
    ngram_indexes: list[int],
    pool_int64s: list[int] | None = None,
    pool_strings: list[str] | None = None,
    weights: list[float] | None = None,
) -> Any:
    """`ngram_counts` has the start index in the pool of the 1-grams, of the 2-grams, and so on."""
    pool = np.array(pool_int64s if pool_strings is None else pool_strings, None if pool_strings is None else object)
    rows = x if rank_of(x) == 2 else tf.reshape(x, [1, -1])
    rows = rows if pool_strings is not None else tf.cast(rows, tf.int64)
    counts_by_length = []
    for length, (start, end) in enumerate(zip(ngram_counts, [*ngram_counts[1:], len(pool)], strict=True), 1):
        grams = pool[start:end].reshape(-1, length)
        skips = range(1 if length == 1 else max_skip_count + 1)  # single tokens have no skips
        used_skips = skips if min_gram_length <= length <= max_gram_length else ()
        zeros = tf.zeros([tf.shape(rows)[0], len(grams)])
        counts_by_length.append(sum((_count(rows, grams, skip + 1) for skip in used_skips), zeros))
    columns = tf.math.unsorted_segment_sum(
        tf.transpose(tf.concat(counts_by_length, 1)), ngram_indexes, max(ngram_indexes) + 1
    )
    counts = tf.transpose(columns)
    counts = counts if mode == "TF" or weights is None else _apply_weights(counts, mode, weights)
    return counts if rank_of(x) == 2 else counts[0]


def _count(rows: Any, grams: Any, step: int) -> Any:
    """Count each n-gram in each row, with its tokens `step` apart: [rows, n-grams]."""
    length = grams.shape[1]
    indices = tf.maximum(tf.shape(rows)[1] - (length - 1) * step, 0)
    windows = tf.stack([rows[:, first * step : first * step + indices] for first in range(length)], -1)
    same = tf.reduce_all(tf.equal(windows[:, :, None, :], tf.constant(grams)), -1)
    return tf.reduce_sum(tf.cast(same, tf.float32), 1)


def _apply_weights(counts: Any, mode: str, weights: list[float]) -> Any:
    return (tf.cast(counts > 0, tf.float32) if mode == "IDF" else counts) * tf.constant(weights, tf.float32)
