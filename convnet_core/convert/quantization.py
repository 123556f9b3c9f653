"""Quantization of TFLite inputs and outputs: float = scale * (integer - zero point)."""

from __future__ import annotations

from typing import Any

import numpy as np

from convnet_core.tensors.arrays import Array


def quantize(array: Array, details: dict[str, Any]) -> Array:
    """Quantize an input array to the dtype in LiteRT's `details`. Unchanged if the file does not quantize it."""
    dtype = np.dtype(details["dtype"])
    scale, zero_point = details["quantization"]
    if array.dtype == dtype or not scale:
        return array
    limits = np.iinfo(dtype)
    return np.asarray(np.rint(array / scale + zero_point).clip(limits.min, limits.max), dtype)


def dequantize(array: Array, dtype: str, details: dict[str, Any]) -> Array:
    """Convert an output array of the file to the model's dtype."""
    scale, zero_point = details["quantization"]
    if array.dtype == dtype or not scale:
        return array
    return np.asarray(scale * (array.astype(np.float32) - zero_point), dtype)
