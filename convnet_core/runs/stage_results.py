"""The results that stages record in `stage.json`; `StageRecord.result_as` reads them. Standard library only.

Fields with a default are missing from the records of earlier versions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from convnet_core.common.formatting import format_size
from convnet_core.language import _, plural


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
        nodes = plural("{count} ONNX node", "{count} ONNX nodes", self.onnx_nodes)
        ops = plural("{count} TensorFlow op", "{count} TensorFlow ops", self.tensorflow_ops)
        files = plural("{count} file, {size}", "{count} files, {size}", len(self.sizes), size=self._size)
        if self.transposes is None:
            return _("{nodes} became {ops}; {files}", nodes=nodes, ops=ops, files=files)
        transposes = _("no transposes")
        if self.transposes:
            transposes = plural("{count} transpose", "{count} transposes", self.transposes)
        return _(
            "{nodes} became {ops}, {transposes}; {files}", nodes=nodes, ops=ops, transposes=transposes, files=files
        )

    @property
    def _size(self) -> str:
        return format_size(sum(self.sizes.values()))


@dataclass(frozen=True)
class ComparisonResult:
    """The verdict, and for each judged runtime whether it passed."""

    verdict: str
    runtimes: dict[str, bool]
