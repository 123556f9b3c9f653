"""`dissection.json`: everything that pages and documents show of a dissection. Imports nothing heavy.

The fields have the names of the JSON keys.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

from convnet_core.common.dataclass_json import dataclass_from_json, dataclass_to_json
from convnet_core.config.stages import DissectConfig
from convnet_core.convert.node_map_file import NodeMapEntry
from convnet_core.dissect.finding import Finding
from convnet_core.dissect.measurements import BatchResult, Fusion, Labels, LiteRTOp, NodeResult, Weight, WorstInput


@dataclass(frozen=True)
class Fusions:
    """The BatchNorms that are folded into convolutions, and the formula."""

    formula: str
    nodes: tuple[Fusion, ...]


@dataclass(frozen=True)
class Transpose:
    """A transpose in a converted file: its ONNX node, its op, its purpose in words, and its permutation if known."""

    node: str
    op: str
    what: str
    perm: tuple[int, ...] = ()


@dataclass(frozen=True)
class PictureNode:
    """A node of a drawn graph: its ONNX node, and its position in steps, x to the right and y down."""

    id: str
    label: str
    node: str
    x: float
    y: float


@dataclass(frozen=True)
class Picture:
    """A graph with positions. `edges` are pairs of indices into `nodes`."""

    nodes: tuple[PictureNode, ...] = ()
    edges: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Pictures:
    """The graph of the ONNX nodes, and the graph of the TensorFlow ops that they became."""

    onnx: Picture = field(default_factory=Picture)
    tensorflow: Picture = field(default_factory=Picture)


@dataclass(frozen=True, kw_only=True)
class DissectionReport:
    """The whole file.

    `runtimes` starts with the reference. `entries` is the node map of the conversion, empty if there is none. `labels`
    are by runtime. `samples` are base64 PNGs of samples that `labels` names, by position.
    """

    title: str
    config: DissectConfig
    runtimes: tuple[str, ...]
    findings: tuple[Finding, ...]
    nodes: tuple[NodeResult, ...]
    entries: tuple[NodeMapEntry, ...]
    litert: tuple[LiteRTOp, ...]
    weights: tuple[Weight, ...]
    fusions: Fusions
    transposes: tuple[Transpose, ...]
    labels: dict[str, Labels]
    sweep: tuple[BatchResult, ...]
    worst: tuple[WorstInput, ...]
    samples: dict[str, str] = field(default_factory=dict)
    pictures: Pictures = field(default_factory=Pictures)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return dataclass_to_json(self)

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Read what `to_json` wrote. Raises TypeError, ValueError, OverflowError or ConfigError."""
        return dataclass_from_json(cls, value)

    @property
    def op_types(self) -> dict[str, str]:
        """The operator of each ONNX node in the node map."""
        return {entry.name: entry.op_type for entry in self.entries}
