"""Dtypes: ONNX's in TensorFlow, casts between them, and what to do where TensorFlow lacks one for an operation."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.errors import ConversionError
from convnet_core.onnx_files.tensor_types import dtype_name

HALVES = {"float16", "bfloat16"}
SMALL_INTEGERS = {"int8", "int16", "uint8", "uint16"}
UNSIGNED = {"uint8", "uint16", "uint32", "uint64"}
INTEGERS = SMALL_INTEGERS | UNSIGNED | {"int32", "int64"}

_XLA_ONLY = {"float8_e4m3fnuz", "float8_e5m2fnuz"}
"""TensorFlow's compiler XLA converts them, its kernels do not."""

_EIGHT_BIT_FLOATS = {
    "float8_e4m3fn": 448.0,
    "float8_e5m2": 57344.0,
    "float8_e4m3fnuz": 240.0,
    "float8_e5m2fnuz": 57344.0,
}
"""The largest values."""

_FOUR_BIT = {"int4": "int8", "uint4": "uint8"}
"""TensorFlow converts them from and to integers alone."""

_STORAGE_ONLY = {"int2", "uint2", "float4_e2m1fn"}
"""TensorFlow can hold them, and not convert them."""


def as_dtype(given: Any) -> Any:
    """TensorFlow's dtype for ONNX's number, or for a name. Raises ConversionError where it has none."""
    name = dtype_name(given) if isinstance(given, int) else str(getattr(given, "name", given))
    try:
        return tf.string if name in ("str", "object") else tf.as_dtype(name)
    except TypeError:
        raise ConversionError(f"TensorFlow has no dtype {name}") from None


def cast_around(function: Callable[..., Any], *tensors: Any, when: Collection[str], to: Any) -> Any:
    """A function of tensors of one dtype, computed in another where theirs is one that TensorFlow lacks for it."""
    dtype = tf.as_dtype(tensors[0].dtype)
    if dtype.name not in when:
        return function(*tensors)
    return tf.cast(function(*(tf.cast(x, to) for x in tensors)), dtype)


_WIDER = {**dict.fromkeys(SMALL_INTEGERS, "int32"), "uint32": "int64"}
"""Of which LiteRT has kernels, as it has not of the narrow ones. Both hold all values of the narrow ones."""


def widen_integers(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorates a handler so that integers without kernels in LiteRT are computed in wider ones.

    The cast back wraps around as the narrow arithmetic does. The first operand of a narrow dtype decides.
    """

    @functools.wraps(function)
    def compute(*operands: Any, **attributes: Any) -> Any:
        names = [dtype_of(x) for x in operands]
        narrow = next((name for name in names if name in _WIDER), None)
        if narrow is None:
            return function(*operands, **attributes)
        wide = _WIDER[narrow]
        results = function(
            *(convert_dtype(x, wide) if name == narrow else x for x, name in zip(operands, names, strict=True)),
            **attributes,
        )
        if isinstance(results, tuple):
            return tuple(tf.cast(x, narrow) if x.dtype == wide else x for x in results)
        return tf.cast(results, narrow) if results.dtype == wide else results

    return compute


def dtype_of(x: Any) -> str | None:
    """The dtype of a tensor or an array; None for anything else."""
    return tf.as_dtype(x.dtype).name if hasattr(x, "dtype") else None


def convert_dtype(x: Any, dtype: str) -> Any:
    """A tensor in another dtype; an array stays an array, whose values are known."""
    return x.astype(dtype) if isinstance(x, np.ndarray) else tf.cast(x, dtype)


def cast_to(x: Any, dtype: Any, *, saturate: bool = True) -> Any:
    """`x` in another dtype by ONNX's rules; `saturate` bounds what is too large for floats of eight bits."""
    if isinstance(x, np.ndarray) and as_dtype(x.dtype).name in _STORAGE_ONLY:
        x = x.astype(np.float32)  # which holds all their values
    source = as_dtype(x.dtype)
    if source == dtype:
        return tf.identity(x)
    for name in (source.name, dtype.name):
        if name in _STORAGE_ONLY:
            raise ConversionError(f"TensorFlow cannot convert {name}")
    if source == tf.string:
        return tf.cast(tf.strings.to_number(x, tf.float64 if dtype != tf.int64 else dtype), dtype)
    if dtype == tf.string:
        return _as_text(x, source)
    if source.name in _FOUR_BIT:
        return cast_to(tf.cast(x, _FOUR_BIT[source.name]), dtype)
    if dtype.name in _FOUR_BIT:
        return tf.cast(tf.cast(x, tf.int32) if source.is_floating else x, dtype)
    if source.name in _XLA_ONLY:
        return cast_to(_compiled_cast(x, tf.float32), dtype, saturate=saturate)
    if dtype.name in _EIGHT_BIT_FLOATS:
        return _as_eight_bits(x if source.is_floating else tf.cast(x, tf.float32), dtype, saturate)
    return tf.cast(x, dtype)


def _as_eight_bits(x: Any, dtype: Any, saturate: bool) -> Any:
    if saturate:
        bound = _EIGHT_BIT_FLOATS[dtype.name]
        x = tf.clip_by_value(tf.cast(x, tf.float32), -bound, bound)
    return _compiled_cast(x, dtype) if dtype.name in _XLA_ONLY else tf.cast(x, dtype)


def _compiled_cast(x: Any, dtype: Any) -> Any:
    return tf.function(lambda x: tf.cast(x, dtype), jit_compile=True, autograph=False)(x)


def _as_text(x: Any, source: Any) -> Any:
    """As ONNX Runtime writes numbers: eight digits of a float, seventeen of a double."""
    if source.is_floating:
        return tf.strings.as_string(x, precision=17 if source == tf.float64 else 8, shortest=True)
    return tf.strings.as_string(tf.cast(x, tf.int32) if source == tf.bool else x)
