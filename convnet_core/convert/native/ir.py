"""An ONNX graph as plain Python: what the passes change and the converter walks. NumPy and onnx alone."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from convnet_core.convert.tensor_location import TensorLocation
from convnet_core.tensors.arrays import Array, TensorInfo


@dataclass(frozen=True)
class Node:
    """One operation. `inputs` holds "" where an optional one is left out.

    `version` is the newest of the operator that the model's opset includes. `scope` names the node of the ONNX model
    that it comes from, as TensorFlow may write it; a pass that adds a node gives it the scope of the one it serves.
    `attributes` are Python values: int, float, str, lists of them, arrays, and Graphs.
    """

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any] = field(default_factory=dict)
    domain: str = ""
    version: int = 1
    name: str = ""
    scope: str = ""

    @property
    def subgraphs(self) -> Iterator[Graph]:
        """The graphs among the attributes: branches and bodies."""
        return (value for value in self.attributes.values() if isinstance(value, Graph))


@dataclass(frozen=True)
class Graph:
    """Nodes in an order in which each comes after what it needs.

    `constants` holds the initializers, `infos` what is known of every tensor (a shape of None: the rank is unknown).
    `layouts` names the inputs and outputs whose dimensions are in another order than in the ONNX model: dimension i is
    dimension layouts[name][i] there. `places` says where the value of a tensor of the ONNX model is that is not here
    under its own name, in its own order.
    """

    inputs: tuple[TensorInfo, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    constants: dict[str, Array]
    infos: dict[str, Info]
    layouts: dict[str, tuple[int, ...]] = field(default_factory=dict)
    places: dict[str, TensorLocation] = field(default_factory=dict)

    def rank(self, name: str) -> int | None:
        """The number of dimensions of a tensor, where it is known."""
        if name in self.constants:
            return int(self.constants[name].ndim)
        info = self.infos.get(name)
        return None if info is None or info.shape is None else len(info.shape)

    def captured(self) -> set[str]:
        """The tensors of an outer graph that this one, or one inside it, uses."""
        made = {info.name for info in self.inputs} | set(self.constants)
        made.update(itertools.chain.from_iterable(node.outputs for node in self.nodes))
        used = set(self.outputs)
        for node in self.nodes:
            used.update(node.inputs)
            for inner in node.subgraphs:
                used |= inner.captured()
        return used - made - {""}


@dataclass(frozen=True)
class Info:
    """What shape inference says of a tensor: NumPy's name of its dtype, and its shape where the rank is known."""

    dtype: str
    shape: tuple[int | None, ...] | None


def use_counts(graph: Graph) -> dict[str, int]:
    """How often each tensor is used, by nodes, by their subgraphs and as an output."""
    counts: dict[str, int] = {}
    names = itertools.chain(
        graph.outputs,
        *(node.inputs for node in graph.nodes),
        *(inner.captured() for node in graph.nodes for inner in node.subgraphs),
    )
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return counts
