"""The intermediate representation: an ONNX graph as plain Python objects. Imports no TensorFlow."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from convnet_core.convert.tensor_location import TensorLocation
from convnet_core.tensors.arrays import Array, TensorInfo


@dataclass(frozen=True)
class Node:
    """One operation. An omitted optional input is "" in `inputs`.

    `version` is the operator's newest version in the model's opset. `scope` is the TensorFlow name scope of the
    ONNX node it comes from; a node added by a pass takes the scope of the node it was added for.
    `attributes` are Python values: int, float, str, lists of these, arrays, and Graphs.
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
        """Graphs among the attributes: branches of If, bodies of loops."""
        return (value for value in self.attributes.values() if isinstance(value, Graph))


@dataclass(frozen=True)
class Graph:
    """Nodes in topological order.

    `constants` has the initializers, `infos` the inferred dtype and shape of each tensor.
    `layouts` has the inputs and outputs whose dimensions were reordered: dimension i is dimension layouts[name][i] in
    the ONNX model. `locations` tells where to find an ONNX tensor that was renamed or transposed.
    """

    inputs: tuple[TensorInfo, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    constants: dict[str, Array]
    infos: dict[str, Info]
    layouts: dict[str, tuple[int, ...]] = field(default_factory=dict)
    locations: dict[str, TensorLocation] = field(default_factory=dict)

    def rank(self, name: str) -> int | None:
        """The number of dimensions of a tensor; None if unknown."""
        if name in self.constants:
            return int(self.constants[name].ndim)
        info = self.infos.get(name)
        return None if info is None or info.shape is None else len(info.shape)

    def captured_names(self) -> set[str]:
        """Names of outer-graph tensors that this graph or its subgraphs use."""
        local = {info.name for info in self.inputs} | set(self.constants)
        local.update(itertools.chain.from_iterable(node.outputs for node in self.nodes))
        used = set(self.outputs)
        for node in self.nodes:
            used.update(node.inputs)
            for inner in node.subgraphs:
                used |= inner.captured_names()
        return used - local - {""}


@dataclass(frozen=True)
class Info:
    """A tensor's NumPy dtype name and shape, as inferred. A shape of None means that the rank is unknown."""

    dtype: str
    shape: tuple[int | None, ...] | None


def use_counts(graph: Graph) -> dict[str, int]:
    """How often each tensor is used: as a node's input, in a subgraph, or as a graph output."""
    counts: dict[str, int] = {}
    names = itertools.chain(
        graph.outputs,
        *(node.inputs for node in graph.nodes),
        *(inner.captured_names() for node in graph.nodes for inner in node.subgraphs),
    )
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return counts
