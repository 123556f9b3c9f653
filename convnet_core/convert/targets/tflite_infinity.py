"""Restore infinite constants in a float16 TFLite file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from convnet_core.tensors.arrays import Array

_LARGEST = np.finfo(np.float16).max


def may_have_lost_infinity(float16: bytes) -> bool:
    """Whether a float16 file contains the value that replaces infinity."""
    return any(bool((np.abs(array) == _LARGEST).any()) for array in _constants(float16) if array.dtype == np.float16)


def restore_infinity(float16: bytes, float32: bytes) -> bytes:
    """Restore the infinite constants of a float16 file, if the float32 file of the same model has any.

    TensorFlow 2.21 writes infinity as 65504, the largest float16, which gives wrong results if a mask reaches an
    output. The file stays unchanged if the float32 file also has finite constants this large, because the two cannot be
    distinguished.
    """
    constants = [array for array in _constants(float32) if array.dtype == np.float32]
    if not any(np.isinf(array).any() for array in constants):
        return float16
    if any((np.isfinite(array) & (np.abs(array) >= _LARGEST)).any() for array in constants):
        return float16
    content = bytearray(float16)
    for array in _constants(content):
        if array.dtype == np.float16:
            array[np.abs(array) == _LARGEST] *= 2  # overflows to infinity of the same sign
    return bytes(content)


def _constants(content: bytes | bytearray) -> Iterator[Array]:
    """Each float constant as an array [n]: a view, writable if the content is."""
    from tensorflow.lite.python import schema_py_generated as schema

    dtypes = {schema.TensorType.FLOAT32: np.float32, schema.TensorType.FLOAT16: np.float16}
    model: Any = schema.Model.GetRootAs(content)
    for graph in map(model.Subgraphs, range(model.SubgraphsLength())):
        for tensor in map(graph.Tensors, range(graph.TensorsLength())):
            buffer = model.Buffers(tensor.Buffer())
            if tensor.Type() in dtypes and buffer.DataLength():
                yield buffer.DataAsNumpy().view(dtypes[tensor.Type()])
