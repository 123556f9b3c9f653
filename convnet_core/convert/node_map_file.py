"""`nodes.json`: what each ONNX node became. Imports no TensorFlow; `node_map.py` finds it out."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from convnet_core.common.dataclass_json import dataclass_from_json
from convnet_core.common.files import read_json, write_json
from convnet_core.convert.tensor_location import TensorLocation
from convnet_core.errors import RunError, one_line

FILE = "nodes.json"


@dataclass(frozen=True)
class TensorFlowOp:
    """A TensorFlow op: the shapes of what it gives, the ops before it, and the order that a transpose makes (empty for
    other ops, and where it is not constant).
    """

    name: str
    type: str
    shapes: tuple[tuple[int | None, ...] | None, ...] = ()
    inputs: tuple[str, ...] = ()
    perm: tuple[int, ...] = ()


@dataclass(frozen=True)
class ConvertedTensor:
    """Where the value of an ONNX tensor is: in the TensorFlow tensor of this name, ordered as `place` says. Without a
    name it is in none, and `constant` says that it was computed while converting.
    """

    tensor: str
    constant: bool
    place: TensorLocation | None


@dataclass(frozen=True)
class ConvertedWeight(TensorLocation):
    """In which order a weight is kept, and the `constant` of the frozen graph that it is, where it is no variable."""

    constant: str = ""


@dataclass(frozen=True)
class NodeMapEntry:
    """An ONNX node and what became of it: its TensorFlow ops, where each of its outputs is, and its weights by name.

    `became` is "ops"; "constant" where it was computed while converting; "layout" where a transpose became the order of
    its source's dimensions; "part" where it is a part of the operator that the node `of` became. Constants and
    placeholders of weights are no ops.
    """

    name: str
    op_type: str
    version: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    ops: tuple[TensorFlowOp, ...]
    tensors: tuple[ConvertedTensor, ...] = ()
    weights: dict[str, ConvertedWeight] = field(default_factory=dict)
    became: str = "ops"
    of: str = ""


NodeMap = Sequence[NodeMapEntry]
"""An entry for each ONNX node, in the order of the graph."""


def write(folder: Path, node_map: NodeMap) -> None:
    """Write `nodes.json`."""
    write_json(folder / FILE, [dataclasses.asdict(entry) for entry in node_map])


def read(folder: Path) -> NodeMap:
    """The node map of a conversion. Raises RunError where the file is gone or damaged."""
    path = folder / FILE
    try:
        return [dataclass_from_json(NodeMapEntry, entry) for entry in read_json(path)]
    except (OSError, ValueError, TypeError) as error:
        raise RunError(f"{path} is damaged: {one_line(error)}", hint="convert again") from error
