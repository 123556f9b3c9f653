"""Dtypes: from ONNX to TensorFlow, casts, and wider dtypes where a kernel is missing."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.errors import ConversionError
from convnet_core.language import _
from convnet_core.onnx_files.tensor_types import dtype_name

HALVES = {"float16", "bfloat16"}
SMALL_INTEGERS = {"int8", "int16", "uint8", "uint16"}
UNSIGNED = {"uint8", "uint16", "uint32", "uint64"}
INTEGERS = SMALL_INTEGERS | UNSIGNED | {"int32", "int64"}

_XLA_ONLY = {"float8_e4m3fnuz", "float8_e5m2fnuz"}
"""Only XLA, TensorFlow's compiler, can cast these; the regular kernels cannot."""

_EIGHT_BIT_FLOATS = {
    "float8_e4m3fn": 448.0,
    "float8_e5m2": 57344.0,
    "float8_e4m3fnuz": 240.0,
    "float8_e5m2fnuz": 57344.0,
}
"""By dtype: the largest finite value."""

_FOUR_BIT = {"int4": "int8", "uint4": "uint8"}
"""TensorFlow casts these only from and to integers."""

_STORAGE_ONLY = {"int2", "uint2", "float4_e2m1fn"}
"""TensorFlow can store these but not cast them."""


def as_dtype(dtype: Any) -> Any:
    """TensorFlow's dtype for an ONNX type number, a dtype or its name. Raises ConversionError if it has none."""
    name = dtype_name(dtype) if isinstance(dtype, int) else str(getattr(dtype, "name", dtype))
    try:
        return tf.string if name in ("str", "object") else tf.as_dtype(name)
    except TypeError:
        raise ConversionError(_("TensorFlow has no dtype {name}", name=name)) from None


def cast_around(function: Callable[..., Any], *tensors: Any, when: Collection[str], to: Any) -> Any:
    """Call a function in the dtype `to` if the tensors' dtype is in `when`, and cast the result back."""
    dtype = tf.as_dtype(tensors[0].dtype)
    if dtype.name not in when:
        return function(*tensors)
    return tf.cast(function(*(tf.cast(x, to) for x in tensors)), dtype)


_WIDER = {**dict.fromkeys(SMALL_INTEGERS, "int32"), "uint32": "int64"}
"""Wider dtypes for which LiteRT has kernels; each can represent all values of the narrow dtype."""


def widen_integers(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a handler to compute integers that LiteRT has no kernels for in a wider dtype.

    The cast back wraps around like narrow arithmetic. The first operand with a narrow dtype determines the dtype.
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
    """The dtype name of a tensor or array; None for anything else."""
    return tf.as_dtype(x.dtype).name if hasattr(x, "dtype") else None


def convert_dtype(x: Any, dtype: str) -> Any:
    """Cast to another dtype. An array stays an array, so that its values remain known."""
    return x.astype(dtype) if isinstance(x, np.ndarray) else tf.cast(x, dtype)


def cast_to(x: Any, dtype: Any, *, saturate: bool = True) -> Any:
    """Cast `x` by ONNX's rules. `saturate` clamps values that are too large for 8-bit floats."""
    if isinstance(x, np.ndarray) and as_dtype(x.dtype).name in _STORAGE_ONLY:
        x = x.astype(np.float32)  # which can represent all their values
    source = as_dtype(x.dtype)
    if source == dtype:
        return tf.identity(x)
    for name in (source.name, dtype.name):
        if name in _STORAGE_ONLY:
            raise ConversionError(_("TensorFlow cannot cast {name}", name=name))
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
    """Format numbers as ONNX Runtime does: 8 digits for a float, 17 for a double."""
    if source.is_floating:
        return tf.strings.as_string(x, precision=17 if source == tf.float64 else 8, shortest=True)
    return tf.strings.as_string(tf.cast(x, tf.int32) if source == tf.bool else x)


def lowest(x: Any) -> Any:
    """The lowest value of the dtype of x."""
    dtype = tf.as_dtype(x.dtype)
    return tf.constant(-np.inf if dtype.is_floating else dtype.min, dtype)
