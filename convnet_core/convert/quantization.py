"""Whole numbers in a TFLite file that stand for floats: float = scale * (whole - zero point)."""

from __future__ import annotations

from typing import Any

import numpy as np

from convnet_core.tensors.arrays import Array


def quantize(array: Array, details: dict[str, Any]) -> Array:
    """An array as the file takes it."""
    dtype = np.dtype(details["dtype"])
    scale, zero_point = details["quantization"]
    if array.dtype == dtype or not scale:
        return array
    limits = np.iinfo(dtype)
    return np.asarray(np.rint(array / scale + zero_point).clip(limits.min, limits.max), dtype)


def dequantize(array: Array, dtype: str, details: dict[str, Any]) -> Array:
    """What the file gives as an array of the model's dtype."""
    scale, zero_point = details["quantization"]
    if array.dtype == dtype or not scale:
        return array
    return np.asarray(scale * (array.astype(np.float32) - zero_point), dtype)
