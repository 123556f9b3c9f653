"""String operators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from convnet_core.convert.native.helpers.tensors import pack_sizes, rank_of, shape_of, size_of
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.registry import handles


@handles("StringConcat", 20)
def string_concat(x: Any, y: Any) -> Any:
    shape = tf.broadcast_dynamic_shape(tf.shape(x), tf.shape(y))
    return tf.strings.join([tf.broadcast_to(x, shape), tf.broadcast_to(y, shape)])


@handles("StringSplit", 20)
def string_split(x: Any, *, delimiter: str = "", maxsplit: int = -1) -> Any:
    texts, sizes = tf.reshape(x, [-1]), shape_of(x)
    parts = tf.strings.split(texts, delimiter or None, maxsplit)
    if not delimiter:  # TensorFlow adds an empty last part if `maxsplit` is set
        parts = tf.ragged.boolean_mask(parts, tf.not_equal(parts, ""))
    table = parts.to_tensor("")
    return tf.reshape(table, pack_sizes([*sizes, size_of(table, 1)])), tf.reshape(
        parts.row_lengths(), pack_sizes(sizes)
    )


@handles("RegexFullMatch", 20)
def regex_full_match(x: Any, *, pattern: str) -> Any:
    return tf.strings.regex_full_match(x, pattern)


@handles("StringNormalizer", 10)
def string_normalizer(
    x: Any,
    *,
    case_change_action: str = "NONE",
    is_case_sensitive: int = 0,
    stopwords: list[str] | None = None,
    locale: str = "",
) -> Any:
    changes: dict[str, Callable[[Any], Any]] = {"LOWER": _lower, "UPPER": _upper, "NONE": tf.identity}
    texts = tf.reshape(x, [-1])
    if stopwords:
        compared, words = (texts, stopwords) if is_case_sensitive else (_lower(texts), [w.lower() for w in stopwords])
        stops = tf.reduce_any(compared[:, tf.newaxis] == tf.constant(words), 1)
        texts = tf.boolean_mask(texts, tf.logical_not(stops))
        texts = tf.cond(tf.size(texts) > 0, lambda: texts, lambda: tf.constant([""]))
    texts = changes[case_change_action](texts)
    return texts[tf.newaxis] if rank_of(x) == 2 else texts


def _lower(texts: Any) -> Any:
    return tf.strings.lower(texts, encoding="utf-8")


def _upper(texts: Any) -> Any:
    return tf.strings.upper(texts, encoding="utf-8")
