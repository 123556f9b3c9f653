"""`nodes.json` as it is read again: what each ONNX node became, checked. `nodes.py` makes it. Imports no TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from convnet_core.common.dataclass_json import dataclass_from_json
from convnet_core.common.files import read_json
from convnet_core.errors import RunError, one_line

FILE = "nodes.json"


@dataclass(frozen=True)
class Op:
    """A TensorFlow op: what it gives, the ops before it, and the order that a transpose makes."""

    name: str
    type: str
    shapes: tuple[tuple[int | None, ...] | None, ...] = ()
    inputs: tuple[str, ...] = ()
    perm: tuple[int, ...] = ()


@dataclass(frozen=True)
class NodeMapEntry:
    """An ONNX node and what became of it; `nodes.node_map` says what the fields mean."""

    name: str
    op_type: str
    version: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    ops: tuple[Op, ...]
    tensors: tuple[dict[str, Any], ...] = ()
    weights: dict[str, dict[str, Any]] = field(default_factory=dict)
    became: str = "ops"
    of: str = ""


def read(folder: Path) -> list[dict[str, Any]]:
    """The entries of a conversion as JSON has them. Raises RunError where the file is gone or damaged."""
    path = folder / FILE
    try:
        found: list[dict[str, Any]] = list(read_json(path))
        for entry in found:
            dataclass_from_json(NodeMapEntry, entry)
    except (OSError, ValueError, TypeError) as error:
        raise RunError(f"{path} is damaged: {one_line(error)}", hint="convert again") from error
    return found
