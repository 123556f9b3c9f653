"""The result of a converter: a graph as a function of tensors, which keeps the values of its last trace."""

from __future__ import annotations

from typing import Any, Protocol

from convnet_core.convert.tensor_location import TensorLocation


class Traced(Protocol):
    """Maps tensors by ONNX input name to tensors by ONNX output name. Call it inside a `tf.function`.

    `layouts` has the dimension order of reordered inputs and outputs. `locations` tells where to find an ONNX tensor
    that was renamed or transposed. `values` has the values of the last trace: tensors, or arrays if known.
    """

    layouts: dict[str, tuple[int, ...]]
    locations: dict[str, TensorLocation]
    values: dict[str, Any]

    def __call__(self, feeds: dict[str, Any]) -> dict[str, Any]: ...
