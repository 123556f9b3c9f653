"""What is taken apart: a model in all its forms, and samples to run it on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import onnx
from numpy.typing import NDArray

from convnet_core.convert import node_map_file
from convnet_core.convert.node_map_file import NodeMap
from convnet_core.errors import ConversionError, UnsupportedNode
from convnet_core.onnx_files import model_file
from convnet_core.tensors.arrays import Array, Feeds

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class InputStatistics:
    """The values that a network has learned from, its accuracy on others like them (None where nobody measured), and
    what has seen these values, in words.
    """

    low: float
    high: float
    mean: float
    deviation: float
    accuracy: float | None = None
    seen_by: str = "the network has learned from"

    @classmethod
    def of(cls, images: Array, accuracy: float | None, seen_by: str = "the network has learned from") -> Self:
        """Of images as they go in."""
        low, high, mean, deviation = (
            float(value) for value in (images.min(), images.max(), images.mean(), images.std())
        )
        return cls(low, high, mean, deviation, accuracy, seen_by)


@dataclass(frozen=True)
class Case:
    """An ONNX model's file, the PyTorch program that it was exported from (None where nobody has it), and a folder of
    what `converter` made of it (None where it refused, for the nodes in `refused`).

    `samples` [n, ...] are what every tensor is compared on, `many` more of them, with `labels` int64 [n] where the
    answers are known. `batched` names the inputs that have a batch. `learned` is what the network has learned from.
    `dead` says how runtimes have ended the process: they are left out.
    """

    path: Path
    program: torch.export.ExportedProgram | None
    folder: Path | None
    samples: Feeds
    many: Feeds
    batched: frozenset[str]
    labels: NDArray[np.int64] | None = None
    learned: InputStatistics | None = None
    converter: str = "native"
    refused: tuple[UnsupportedNode, ...] = ()
    dead: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def model(self) -> onnx.ModelProto:
        """The ONNX model."""
        return model_file.load(self.path)

    @cached_property
    def entries(self) -> NodeMap:
        """What each ONNX node became, as the conversion noted it. Raises ConversionError where it noted less."""
        found = [] if self.folder is None else node_map_file.read(self.folder)
        if any(len(entry.tensors) != len(entry.outputs) for entry in found):
            raise ConversionError("the conversion was made by an older version of this project", hint="convert again")
        return found
