"""Feature preprocessing operators of ai.onnx.ml."""

from __future__ import annotations

from typing import Any

import numpy as np

from convnet_core.convert.native.helpers.tensors import pack_sizes, rank_of, shape_of
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.registry import handles
from convnet_core.errors import ConversionError
from convnet_core.language import _

_DOMAIN = "ai.onnx.ml"


@handles("Scaler", 1, domain=_DOMAIN)
def scaler(x: Any, *, offset: list[float], scale: list[float]) -> Any:
    return (tf.cast(x, tf.float32) - np.array(offset, np.float32)) * np.array(scale, np.float32)


@handles("Normalizer", 1, domain=_DOMAIN)
def normalizer(x: Any, *, norm: str = "MAX") -> Any:
    x = tf.cast(x, tf.float32)
    axis = rank_of(x) - 1  # a vector as a whole, each row of a table
    match norm:
        case "MAX":
            size = tf.reduce_max(x, axis, keepdims=True)
        case "L1":
            size = tf.reduce_sum(tf.abs(x), axis, keepdims=True)
        case "L2":
            size = tf.sqrt(tf.reduce_sum(x * x, axis, keepdims=True))
        case _:
            raise ConversionError(_("unknown norm {norm!r}", norm=norm))
    return tf.where(tf.equal(size, 0), x, x / size)


@handles("Binarizer", 1, domain=_DOMAIN)
def binarizer(x: Any, *, threshold: float = 0.0) -> Any:
    return tf.cast(x > tf.cast(threshold, x.dtype), x.dtype)


@handles("Imputer", 1, domain=_DOMAIN)
def imputer(
    x: Any,
    *,
    imputed_value_floats: list[float] | None = None,
    imputed_value_int64s: list[int] | None = None,
    replaced_value_float: float = 0.0,
    replaced_value_int64: int = 0,
) -> Any:
    floats = x.dtype.is_floating
    new = tf.constant(imputed_value_floats if floats else imputed_value_int64s, x.dtype)
    old = replaced_value_float if floats else replaced_value_int64
    return tf.where(tf.math.is_nan(x) if floats and np.isnan(old) else tf.equal(x, tf.cast(old, x.dtype)), new, x)


@handles("ArrayFeatureExtractor", 1, domain=_DOMAIN)
def array_feature_extractor(x: Any, y: Any) -> Any:
    columns = tf.gather(x, tf.reshape(y, [-1]), axis=-1)
    return columns[tf.newaxis] if rank_of(x) == 1 else columns


@handles("FeatureVectorizer", 1, domain=_DOMAIN)
def feature_vectorizer(*inputs: Any, inputdimensions: list[int]) -> Any:
    tables = [tf.cast(tf.reshape(x, [-1, size]), tf.float32) for x, size in zip(inputs, inputdimensions, strict=True)]
    return tf.concat(tables, -1)


@handles("OneHotEncoder", 1, domain=_DOMAIN)
def one_hot_encoder(
    x: Any, *, cats_int64s: list[int] | None = None, cats_strings: list[str] | None = None, zeros: int = 1
) -> Any:
    """An unknown category gives zeros, even if `zeros` is 0, where ONNX specifies an error."""
    categories = tf.constant(cats_strings) if cats_strings else tf.constant(cats_int64s, tf.int64)
    values = x if cats_strings else tf.cast(x, tf.int64)
    return tf.cast(tf.equal(values[..., tf.newaxis], categories), tf.float32)


_KINDS = ("tensor", "strings", "int64s", "floats")
_DEFAULTS = {"string": "_Unused", "int64": -1, "float": -0.0}


@handles("LabelEncoder", 2, 4, domain=_DOMAIN)
def label_encoder(x: Any, **table: Any) -> Any:
    """Compare with every key. If a key appears twice, its last value counts."""
    keys, values = _column(table, "keys"), _column(table, "values")
    default = _default(table, values.dtype)
    latest = {key: value for key, value in zip(keys.tolist(), values.tolist(), strict=True) if key == key}
    shape, flat = pack_sizes(shape_of(x)), tf.reshape(x, [-1])
    result = tf.constant(default, shape=[1], dtype=tf.as_dtype(values.dtype) if values.dtype.kind != "U" else tf.string)
    if latest:
        matches = tf.equal(flat[:, tf.newaxis], tf.constant(list(latest), flat.dtype))
        matched = tf.gather(tf.constant(list(latest.values()), result.dtype), tf.argmax(tf.cast(matches, tf.int8), -1))
        result = tf.where(tf.reduce_any(matches, -1), matched, result)
    missing = [value for key, value in zip(keys.tolist(), values.tolist(), strict=True) if key != key]
    if missing:  # a NaN key matches NaN
        result = tf.where(tf.math.is_nan(flat), tf.constant(missing[-1], result.dtype), result)
    return tf.reshape(tf.broadcast_to(result, tf.shape(flat)), shape)


def _column(table: dict[str, Any], side: str) -> Any:
    """The keys or the values, from whichever attribute has them."""
    kind = next(kind for kind in _KINDS if table.get(f"{side}_{kind}") is not None)
    dtype = {"int64s": np.int64, "floats": np.float32, "strings": np.str_}.get(kind)
    array = np.asarray(table[f"{side}_{kind}"], dtype)
    return array.astype(np.str_) if array.dtype.kind == "O" else array


def _default(table: dict[str, Any], dtype: Any) -> Any:
    """The value for missing keys: the default attribute of the values' type, or ONNX's default."""
    if table.get("default_tensor") is not None:
        value = np.asarray(table["default_tensor"]).ravel()[0]
        return value.decode() if isinstance(value, bytes) else value
    kind = {"U": "string", "i": "int64"}.get(dtype.kind, "float")
    return table.get(f"default_{kind}", _DEFAULTS[kind])
