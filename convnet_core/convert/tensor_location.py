"""Where in a converted graph the value of an ONNX tensor is, and in which order. NumPy alone."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from convnet_core.tensors.arrays import Array


@dataclass(frozen=True)
class TensorLocation:
    """The value is that of `source`, a tensor of the converted graph, in another order.

    Where `split` is given, dimension `axis` of the source is taken apart into these sizes. Then dimension i is
    dimension perm[i] of that. What was taken apart is joined again, or the result has `shape`.
    """

    source: str
    perm: tuple[int, ...] = ()
    split: tuple[int, ...] = ()
    axis: int = 0
    shape: tuple[int, ...] = ()

    def value(self, array: Array) -> Array:
        """An array of the source as ONNX has it."""
        before = array.shape
        apart = array.reshape(self._apart(before)) if self.split else array
        moved = apart.transpose(self.perm) if self.perm else apart
        if self.shape:
            return moved.reshape(self.shape)
        return moved.reshape(before) if self.split else moved

    def source_value(self, array: Array) -> Array:
        """The reverse of `value`: an array of ONNX as the source has it. Not for a place with a `shape`."""
        if not self.perm:
            return array
        back = np.argsort(self.perm)
        if not self.split:
            return np.asarray(array.transpose(back), order="C")
        apart = np.array(self._apart(array.shape))[list(self.perm)]
        return np.asarray(array.reshape(apart).transpose(back), order="C").reshape(array.shape)

    def moved_on(self, source: str, perm: tuple[int, ...]) -> TensorLocation:
        """The same value, where the source has become `source` with its dimensions in the order of `perm`."""
        own = self.perm or tuple(range(len(perm)))
        return dataclasses.replace(self, source=source, perm=tuple(perm[axis] for axis in own))

    def _apart(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[: self.axis], *self.split, *shape[self.axis + 1 :])

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """What `to_json` wrote."""
        perm, split, shape = (tuple(value[name]) for name in ("perm", "split", "shape"))
        return cls(value["source"], perm, split, value["axis"], shape)
