"""`nodes.json`: the map from ONNX nodes to TensorFlow ops, created by `node_map.py`. Imports no TensorFlow."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from convnet_core.common.dataclass_json import dataclass_from_json
from convnet_core.common.files import read_json, write_json
from convnet_core.convert.tensor_location import TensorLocation
from convnet_core.errors import RunError, one_line
from convnet_core.language import _

FILE = "nodes.json"


@dataclass(frozen=True)
class TensorFlowOp:
    """A TensorFlow op: its output shapes, the names of its input ops, and the permutation of a transpose.

    `perm` is empty for other ops, and for a transpose whose permutation is not constant.
    """

    name: str
    type: str
    shapes: tuple[tuple[int | None, ...] | None, ...] = ()
    inputs: tuple[str, ...] = ()
    perm: tuple[int, ...] = ()


@dataclass(frozen=True)
class ConvertedTensor:
    """The TensorFlow tensor with the value of an ONNX tensor, in the order of dimensions that `place` gives.

    An empty name means that no tensor has the value. `constant` means that it was computed during conversion.
    """

    tensor: str
    constant: bool
    place: TensorLocation | None


@dataclass(frozen=True)
class ConvertedWeight(TensorLocation):
    """The location of a weight. `constant` is its name in the frozen graph if it is not a variable."""

    constant: str = ""


@dataclass(frozen=True)
class NodeMapEntry:
    """An ONNX node and what it became: its TensorFlow ops, the tensors of its outputs, and its weights by name.

    `became` is "ops"; "constant" if it was computed during conversion; "layout" if it is a transpose that only changed
    the order of its source's dimensions; "part" if it was fused into the operator of the node `of`. Constants and
    placeholders of weights do not count as ops.
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
"""One entry per ONNX node, in graph order."""


def write(folder: Path, node_map: NodeMap) -> None:
    """Write `nodes.json`."""
    write_json(folder / FILE, [dataclasses.asdict(entry) for entry in node_map])


def read(folder: Path) -> NodeMap:
    """Read a conversion's node map. Raises RunError if the file is missing or damaged."""
    path = folder / FILE
    try:
        return [dataclass_from_json(NodeMapEntry, entry) for entry in read_json(path)]
    except (OSError, ValueError, TypeError) as error:
        raise RunError(
            _("{path} is damaged: {reason}", path=path, reason=one_line(error)), hint=_("convert again")
        ) from error
