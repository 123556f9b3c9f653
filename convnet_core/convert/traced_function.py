"""What a converter gives: a graph as a function of tensors, which remembers what it has made."""

from __future__ import annotations

from typing import Any, Protocol

from convnet_core.convert.tensor_location import TensorLocation


class Traced(Protocol):
    """Tensors by ONNX input name in, tensors by ONNX output name out; to be called inside a `tf.function`.

    `layouts` names the inputs and outputs whose dimensions are in another order than in ONNX. `places` says where the
    value of an ONNX tensor is that has no name of its own, and `values` has what the last trace has made: tensors, or
    arrays where they were known.
    """

    layouts: dict[str, tuple[int, ...]]
    places: dict[str, TensorLocation]
    values: dict[str, Any]

    def __call__(self, feeds: dict[str, Any]) -> dict[str, Any]: ...
