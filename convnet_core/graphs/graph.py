"""A model's graph as plain data, the same for ONNX, TensorFlow and LiteRT, with conversion to and from JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from convnet_core.common.dataclass_json import dataclass_from_json
from convnet_core.onnx_files.shapes import Dimension


@dataclass(frozen=True)
class Statistics:
    """Statistics of a weight. All but `count` and `not_finite` cover only finite values, and are None without any.

    `zeros` is a fraction from 0 to 1. `counts` is a histogram of 64 equal bins from `low` to `high`; empty if the
    range is too large or too small for float64 to separate the bins.
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
        """The edges of the bins, one more than there are bins."""
        bins = len(self.counts)
        return tuple(self.low + (self.high - self.low) * index / bins for index in range(bins + 1)) if bins else ()


@dataclass(frozen=True)
class Tensor:
    """A named array that flows along edges or is stored in the model. `shape` is None if the rank is unknown.

    `values` are those of a small weight: a shape, the axes of a mean, the limits of a clip.
    """

    name: str
    dtype: str = ""
    shape: tuple[Dimension, ...] | None = None
    kind: Literal["value", "input", "output", "weight"] = "value"
    statistics: Statistics | None = None
    values: tuple[int | float, ...] = ()

    @property
    def values_text(self) -> str:
        """The values as text, whole numbers to the last digit: `-1, 1048576`."""
        return ", ".join(str(value) if isinstance(value, int) else f"{value:g}" for value in self.values)

    @property
    def shape_text(self) -> str:
        """The shape as text: `[batch, 10]`, or `unknown` if the rank is unknown."""
        if self.shape is None:
            return "unknown"
        return f"[{', '.join('?' if size is None else str(size) for size in self.shape)}]"

    @property
    def text(self) -> str:
        """The dtype and shape as text: `float32 [batch, 10]`."""
        return f"{self.dtype} {self.shape_text}".strip() if self.shape is not None else self.dtype


@dataclass(frozen=True)
class Node:
    """An operation, or an input or output of the model (`kind`). `id` is unique in its graph; `name` may not be.

    `inputs` and `outputs` are tensor names in order; an omitted optional input is "". `version` is the version of the
    operator's definition, None if unknown. `modules` are the modules that the node is in, from the outermost.
    `roles` are the names that the operator's definition gives to its inputs, as far as they are known.
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
    modules: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()

    @property
    def versioned_op(self) -> str:
        """The op with its version, and its domain unless that is ONNX's default: `Conv-11`."""
        name = f"{self.domain}.{self.op}" if self.domain else self.op
        return name if self.version is None else f"{name}-{self.version}"


@dataclass(frozen=True)
class Edge:
    """A tensor's way from the node that produces it to one that reads it (ids)."""

    source: str
    target: str
    tensor: str


@dataclass(frozen=True)
class Graph:
    """A whole model. `modules` are the classes of the modules, "" if unknown; `properties` describe its origin."""

    format: Literal["onnx", "tensorflow", "litert"]
    name: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    tensors: dict[str, Tensor]
    modules: dict[str, str] = field(default_factory=dict)
    properties: dict[str, str] = field(default_factory=dict)

    @cached_property
    def by_id(self) -> dict[str, Node]:
        """The nodes by their ids."""
        return {node.id: node for node in self.nodes}

    def tensors_of(self, names: Iterable[str]) -> list[Tensor]:
        """The tensors of these names; an unknown one has only its name."""
        return [self.tensors.get(name) or Tensor(name) for name in names]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        tensors = [
            {**vars(tensor), "statistics": tensor.statistics and vars(tensor.statistics)}
            for tensor in self.tensors.values()
        ]
        plain = {name: getattr(self, name) for name in ("format", "name", "modules", "properties")}
        return {
            **plain,
            "nodes": [vars(node) for node in self.nodes],
            "edges": [vars(edge) for edge in self.edges],
            "tensors": tensors,
        }

    @classmethod
    def from_json(cls, value: Any) -> Graph:
        """Parse what `to_json` wrote. Raises KeyError, TypeError, ValueError or OverflowError for anything else."""
        tensors = [dataclass_from_json(Tensor, item) for item in value["tensors"]]
        graph = dataclass_from_json(cls, {**value, "tensors": {tensor.name: tensor for tensor in tensors}})
        for edge in graph.edges:
            if edge.source not in graph.by_id or edge.target not in graph.by_id:
                raise ValueError(f"an edge of {edge.tensor!r} refers to a missing node")
        return graph
