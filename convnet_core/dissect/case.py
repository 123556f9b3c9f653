"""What to dissect: a model in all its forms, and samples to run it on."""

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
from convnet_core.language import N_, _
from convnet_core.onnx_files import model_file
from convnet_core.tensors.arrays import Array, Feeds

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class InputStatistics:
    """Range, mean and standard deviation of the inputs that a network was trained or calibrated on.

    `accuracy` is the network's accuracy on similar inputs (None if unknown). `seen_by` says in words what used them.
    """

    low: float
    high: float
    mean: float
    deviation: float
    accuracy: float | None = None
    seen_by: str = N_("the network was trained on")

    @classmethod
    def of(cls, images: Array, accuracy: float | None, seen_by: str = N_("the network was trained on")) -> Self:
        """The statistics of images as they are fed to the network."""
        low, high, mean, deviation = (
            float(value) for value in (images.min(), images.max(), images.mean(), images.std())
        )
        return cls(low, high, mean, deviation, accuracy, seen_by)


@dataclass(frozen=True)
class Case:
    """An ONNX file, the PyTorch program it was exported from (None if unavailable), and the folder of its conversion.

    The folder is None if `converter` does not support the nodes in `refused`. Every tensor is compared on `samples`
    [n, ...]; `many` are more of them, with `labels` int64 [n] if the correct answers are known. `batched` names the
    inputs that have a batch. `learned` describes the training inputs. `dead` lists runtimes that crashed the process,
    with the reason; they are skipped.
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
        """What each ONNX node became, as the conversion recorded it. Raises ConversionError if it is too old."""
        node_map = [] if self.folder is None else node_map_file.read(self.folder)
        if any(len(entry.tensors) != len(entry.outputs) for entry in node_map):
            raise ConversionError(
                _("the conversion was made by an older version of this project"), hint=_("convert again")
            )
        return node_map
