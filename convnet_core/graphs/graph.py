"""A model's graph as plain data, the same for ONNX, TensorFlow and LiteRT, to and from JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from convnet_core.common.dataclass_json import dataclass_from_json
from convnet_core.onnx_files.shapes import Dimension


@dataclass(frozen=True)
class Statistics:
    """The values of a weight. All but `count` and `not_finite` are over its finite values; None where it has none.

    `zeros` is a share from 0 to 1. `counts` are 64 bins of equal width from `low` to `high`; empty where
    the values are too far apart, or too close, for float64 to tell bins apart.
    """

    count: int
    not_finite: int
    min: float | None
    max: float | None
    mean: float | None
    std: float | None
    zeros: float | None
    counts: tuple[int, ...] = ()
    low: float = 0.0
    high: float = 0.0

    @property
    def edges(self) -> tuple[float, ...]:
        """The borders of the bins, one more than there are bins."""
        bins = len(self.counts)
        return tuple(self.low + (self.high - self.low) * index / bins for index in range(bins + 1)) if bins else ()


@dataclass(frozen=True)
class Tensor:
    """A named array that flows along edges or is kept in the model. `shape` is None where the rank is unknown."""

    name: str
    dtype: str = ""
    shape: tuple[Dimension, ...] | None = None
    kind: Literal["value", "input", "output", "weight"] = "value"
    statistics: Statistics | None = None

    @property
    def shape_text(self) -> str:
        """Its shape in words: `[batch, 10]`; `unknown` where the rank is."""
        if self.shape is None:
            return "unknown"
        return f"[{', '.join('?' if size is None else str(size) for size in self.shape)}]"

    @property
    def text(self) -> str:
        """Its dtype and shape in words: `float32 [batch, 10]`."""
        return f"{self.dtype} {self.shape_text}".strip() if self.shape is not None else self.dtype


@dataclass(frozen=True)
class Node:
    """An operation, or a place where data enters or leaves (`kind`). `id` is unique in its graph, `name` need not be.

    `inputs` and `outputs` name tensors in their order; an input that was left out is "". `version` is the
    one of the operator's definition, None where that is unknown. `y` grows in the direction of the data.
    """

    id: str
    name: str
    op: str
    kind: Literal["op", "input", "output"] = "op"
    version: int | None = None
    domain: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    x: float = 0.0
    y: float = 0.0

    @property
    def versioned_op(self) -> str:
        """The op with its version, and its domain where that is not ONNX's own: `Conv-11`."""
        name = f"{self.domain}.{self.op}" if self.domain else self.op
        return name if self.version is None else f"{name}-{self.version}"


@dataclass(frozen=True)
class Edge:
    """A tensor on its way from the node that makes it to one that reads it, by their ids, by way of `bends`."""

    source: str
    target: str
    tensor: str
    bends: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Graph:
    """A whole model. `properties` says where it comes from, in words."""

    format: Literal["onnx", "tensorflow", "litert"]
    name: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    tensors: dict[str, Tensor]
    properties: dict[str, str] = field(default_factory=dict)

    @cached_property
    def by_id(self) -> dict[str, Node]:
        """The nodes by their ids."""
        return {node.id: node for node in self.nodes}

    def tensors_of(self, names: Iterable[str]) -> list[Tensor]:
        """The tensors of these names; one that nothing is known of has a name alone."""
        return [self.tensors.get(name) or Tensor(name) for name in names]

    def way(self, edge: Edge) -> tuple[tuple[float, float], ...]:
        """The points that an edge goes through, from its first node to its last."""
        source, target = self.by_id[edge.source], self.by_id[edge.target]
        return ((source.x, source.y), *edge.bends, (target.x, target.y))

    def find(self, text: str) -> list[Node]:
        """The nodes whose op holds the text; where there is none, those whose name does, else those with such a tensor.

        Case does not matter. One after the other, since tensors are named after the ops that make them.
        """
        wanted = text.strip().casefold()
        if not wanted:
            return []
        places: tuple[Callable[[Node], tuple[str, ...]], ...] = (
            lambda node: (node.op,),
            lambda node: (node.id,),
            lambda node: (*node.inputs, *node.outputs),
        )
        hits = (
            [node for node in self.nodes if any(wanted in word.casefold() for word in words(node))] for words in places
        )
        return next((found for found in hits if found), [])

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        tensors = [
            {**vars(tensor), "statistics": tensor.statistics and vars(tensor.statistics)}
            for tensor in self.tensors.values()
        ]
        plain = {name: getattr(self, name) for name in ("format", "name", "properties")}
        return {
            **plain,
            "nodes": [vars(node) for node in self.nodes],
            "edges": [vars(edge) for edge in self.edges],
            "tensors": tensors,
        }

    @classmethod
    def from_json(cls, value: Any) -> Graph:
        """The graph that `to_json` wrote. Raises KeyError, TypeError, ValueError or OverflowError on anything else."""
        tensors = [dataclass_from_json(Tensor, item) for item in value["tensors"]]
        graph = dataclass_from_json(cls, {**value, "tensors": {tensor.name: tensor for tensor in tensors}})
        for edge in graph.edges:
            if edge.source not in graph.by_id or edge.target not in graph.by_id:
                raise ValueError(f"an edge of {edge.tensor!r} leads to a node that is not there")
        return graph
