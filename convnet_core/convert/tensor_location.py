"""Where to find the value of an ONNX tensor in a converted graph. Imports no TensorFlow."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from convnet_core.tensors.arrays import Array


@dataclass(frozen=True)
class TensorLocation:
    """The value equals `source`, a tensor of the converted graph, with its dimensions reordered.

    If `split` is set, dimension `axis` of the source is first split into these sizes. Then dimension i is
    dimension perm[i] of the result. Split dimensions are merged again; if `shape` is set, it is the final shape.
    """

    source: str
    perm: tuple[int, ...] = ()
    split: tuple[int, ...] = ()
    axis: int = 0
    shape: tuple[int, ...] = ()

    def value(self, array: Array) -> Array:
        """Convert an array of the source to ONNX's order."""
        before = array.shape
        parts = array.reshape(self._split_shape(before)) if self.split else array
        reordered = parts.transpose(self.perm) if self.perm else parts
        if self.shape:
            return reordered.reshape(self.shape)
        return reordered.reshape(before) if self.split else reordered

    def source_value(self, array: Array) -> Array:
        """The inverse of `value`: convert an ONNX array to the source's order. Not for a location with a `shape`."""
        if not self.perm:
            return array
        back = np.argsort(self.perm)
        if not self.split:
            return np.asarray(array.transpose(back), order="C")
        shape = np.array(self._split_shape(array.shape))[list(self.perm)]
        return np.asarray(array.reshape(shape).transpose(back), order="C").reshape(array.shape)

    def with_source(self, source: str, perm: tuple[int, ...]) -> TensorLocation:
        """The same value when the old source equals `source` transposed by `perm`."""
        perm_before = self.perm or tuple(range(len(perm)))
        return dataclasses.replace(self, source=source, perm=tuple(perm[axis] for axis in perm_before))

    def _split_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[: self.axis], *self.split, *shape[self.axis + 1 :])
