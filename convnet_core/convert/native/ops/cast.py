"""Casts between dtypes."""

from __future__ import annotations

from typing import Any

from convnet_core.convert.native.helpers.dtypes import as_dtype, cast_to
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.registry import handles


@handles("Cast", 1, 6, 9, 13, 19, 21, 23, 24, 25, 28)
def cast(x: Any, *, to: int, saturate: int = 1, round_mode: str = "up") -> Any:
    return cast_to(x, as_dtype(to), saturate=bool(saturate))


@handles("CastLike", 15, 19, 21, 23, 24, 25)
def cast_like(x: Any, target_type: Any, *, saturate: int = 1, round_mode: str = "up") -> Any:
    return cast_to(x, as_dtype(target_type.dtype), saturate=bool(saturate))


@handles("BitCast", 26)
def bit_cast(x: Any, *, to: int) -> Any:
    dtype = as_dtype(to)
    if dtype == tf.bool:
        return tf.cast(x, tf.bool)
    return tf.bitcast(tf.cast(x, tf.uint8) if x.dtype == tf.bool else x, dtype)
