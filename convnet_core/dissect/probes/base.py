"""What is asked of a runtime that is taken apart: the value of every tensor, and one node alone."""

from __future__ import annotations

import abc

from convnet_core.tensors.arrays import Array, Feeds


class Probe(abc.ABC):
    """A runtime whose inside can be seen. Tensors bear their ONNX names, and have ONNX's order of dimensions.

    `precision` is what it computes in. `alone_is_possible` says whether it can run one node on inputs of our choice.
    """

    name: str
    precision: str = "float32"
    alone_is_possible: bool = True
    remade: frozenset[str] = frozenset()
    """The tensors that the last run did not show, and that were made of those before them in its arithmetic."""

    @abc.abstractmethod
    def values(self, feeds: Feeds) -> Feeds:
        """Every tensor that can be seen in a run on these inputs, outputs among them."""

    def alone(self, node: str, inputs: Feeds) -> Feeds | None:
        """What a node, by its first output's name, makes of these inputs by itself; None where it cannot be asked."""
        return None

    def close(self) -> None:  # noqa: B027  # most hold nothing but memory
        """Let go of what the probe holds."""


def numeric(array: Array) -> bool:
    """Whether a tensor can be compared by its values: floats, and what has any."""
    return array.dtype.kind == "f" and array.size > 0


Kernel = tuple[tuple[str, ...], Array, Array]
"""Of a convolution in a file: the ONNX nodes in it, its weights in ONNX's order of dimensions, and its bias."""
