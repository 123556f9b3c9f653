"""The results that stages record in `stage.json`; `StageRecord.result_as` reads them. Standard library only.

Fields with a default are missing from the records of earlier versions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from convnet_core.common.formatting import format_count, format_size


@dataclass(frozen=True)
class TrainingResult:
    """Accuracy (a fraction) and mean cross-entropy on the test set; the training's duration and device."""

    test_accuracy: float
    test_loss: float
    seconds: float
    device: str


@dataclass(frozen=True)
class ForkResult:
    """The run that a training starts from, the settings that it changes, and what could not be carried over.

    `epoch` is where the parent was, and `first_epoch` where this training's count of epochs starts on the same axis.
    `carried` is how much of the parent's training goes on: its position too, its weights, or nothing.
    """

    parent: str
    changes: tuple[str, ...]
    notes: tuple[str, ...]
    epoch: float
    first_epoch: float
    carried: Literal["position", "weights", "nothing"]


@dataclass(frozen=True)
class ExportResult:
    """The exported model, what was checked, and its largest error against PyTorch on five images.

    The error is None if there was no PyTorch network to compare with.
    """

    nodes: int
    bytes: int
    opset: int | None = None
    checked: str = "onnx.checker"
    max_abs_error: float | None = None


@dataclass(frozen=True)
class ImportResult(ExportResult):
    """An imported model: what the native converter cannot convert, and what was repaired, one line each."""

    faults: tuple[str, ...] = ()
    repairs: tuple[str, ...] = ()


@dataclass(frozen=True)
class ConversionResult:
    """Artifact sizes in bytes, node and op counts, and the reason for each artifact that could not be written
    (TFLite supports fewer ops than TensorFlow).
    """

    sizes: dict[str, int]
    onnx_nodes: int
    tensorflow_ops: int
    transposes: int | None = None
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def headline(self) -> str:
        """What became of the network, in one sentence."""
        transposes = format_count(self.transposes, "transpose") if self.transposes else "no transposes"
        known = "" if self.transposes is None else f", {transposes}"
        return (
            f"{format_count(self.onnx_nodes, 'ONNX node')} became {format_count(self.tensorflow_ops, 'TensorFlow op')}"
            f"{known}; {format_count(len(self.sizes), 'file')}, {format_size(sum(self.sizes.values()))}"
        )


@dataclass(frozen=True)
class ComparisonResult:
    """The verdict, and for each judged runtime whether it passed."""

    verdict: str
    runtimes: dict[str, bool]
