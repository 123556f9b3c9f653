"""The interface of a runtime for dissection: the value of every tensor, and the output of a single node."""

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
    """The tensors that the last run did not expose; they were recomputed in its arithmetic."""

    @abc.abstractmethod
    def values(self, feeds: Feeds) -> Feeds:
        """Every tensor that is visible in a run on these inputs, including outputs."""

    def alone(self, node: str, inputs: Feeds) -> Feeds | None:
        """Run a single node, named by its first output, on these inputs; None if it cannot run alone."""
        return None

    def close(self) -> None:  # noqa: B027  # most need no cleanup
        """Release the probe's resources."""


def numeric(array: Array) -> bool:
    """Whether a tensor has float values to compare."""
    return array.dtype.kind == "f" and array.size > 0


Kernel = tuple[tuple[str, ...], Array, Array]
"""A convolution in a file: its ONNX nodes, its weights in ONNX's order of dimensions, and its bias."""
