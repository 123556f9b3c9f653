"""Read a training's results: its metrics over time, and its test. Does not import torch."""

from __future__ import annotations

import base64
import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass

from convnet_core.common.dataclass_json import dataclass_from_json
from convnet_core.common.files import read_json
from convnet_core.data.split import CLASSES, SIDE
from convnet_core.errors import RunError, one_line
from convnet_core.events import Metrics
from convnet_core.language import _
from convnet_core.runs.run import Run
from convnet_core.runs.stage_folders import CHECKPOINT, FORK
from convnet_core.runs.stage_record import StageRecord
from convnet_core.runs.stage_results import ForkResult, TrainingResult

HISTORY_FILE = "history.json"

_MAX_IMAGES = 1 << 40  # more than any test set; charts cannot show integers of any size


@dataclass(frozen=True)
class Mistake:
    """A misread test image: its index in the test set, its true digit, and the answer with its probability.

    `image` is 28 × 28 uint8 pixels, bright ink, as base64; empty in the reports of earlier versions.
    """

    index: int
    truth: int
    answer: int
    probability: float
    image: str = ""


@dataclass(frozen=True)
class TrainingReport:
    """The content of metrics.json. `confusion` counts images by true digit (row) and answer (column).

    `mistakes` starts with the worst one.
    """

    test: TrainingResult
    confusion: tuple[tuple[int, ...], ...]
    history: list[Metrics]
    mistakes: tuple[Mistake, ...] = ()

    def __post_init__(self) -> None:
        rows = (self.confusion, *self.confusion)
        counts = (count for row in self.confusion for count in row)
        if any(len(row) != CLASSES for row in rows) or not all(0 <= count < _MAX_IMAGES for count in counts):
            raise ValueError(f"confusion must be {CLASSES} rows of {CLASSES} numbers of images")
        if any(mistake.index < 0 for mistake in self.mistakes):
            raise ValueError("a mistake's index must not be negative")
        if any(len(base64.b64decode(item.image, validate=True)) not in (0, SIDE * SIDE) for item in self.mistakes):
            raise ValueError(f"the image of a mistake must have {SIDE} × {SIDE} pixels")


@dataclass(frozen=True)
class History:
    """The content of a checkpoint's history.json: a separate file, since it grows and lists of runs do not need it."""

    metrics: list[Metrics]


def newest_training(run: Run) -> StageRecord | None:
    """The record of the run's newest training, stopped or finished; None if there is none. Raises RunError."""
    stopped, finished = run.record(CHECKPOINT), run.record("train")
    if stopped is None or finished is None:
        return stopped or finished
    return stopped if stopped.created > finished.created else finished


def read_fork(run: Run) -> ForkResult | None:
    """Where the run's training started from; None if it started from scratch. Raises RunError."""
    record = run.record(FORK)
    return record.result_as(ForkResult) if record else None


def parent_curve(run: Run) -> list[Metrics]:
    """The metrics of the training that the run was forked from, up to there. Raises RunError."""
    path = run.file(f"{FORK}/{HISTORY_FILE}")
    try:
        return dataclass_from_json(History, read_json(path)).metrics
    except (OSError, ValueError, TypeError, OverflowError) as error:
        raise RunError(
            _("{path} cannot be read: {reason}", path=path, reason=one_line(error)), hint=_("fork the other run again")
        ) from error


def read_curve(run: Run) -> list[Metrics]:
    """Like `read_history`, with the epochs counted from the start of the training that the run was forked from."""
    return shifted(run, read_history(run))


def shifted(run: Run, metrics: Sequence[Metrics]) -> list[Metrics]:
    """Metrics of a run's training with the epochs of a fork counted on its parent's axis. Raises RunError."""
    fork = read_fork(run)
    if fork is None or not fork.first_epoch:
        return list(metrics)
    return [dataclasses.replace(item, epoch=item.epoch + fork.first_epoch) for item in metrics]


def read_history(run: Run) -> list[Metrics]:
    """The metrics of a stopped training, else of the finished one; empty if there is none.

    Raises RunError if they cannot be read.
    """
    stopped = read_checkpoint_history(run)
    if stopped is not None:
        return stopped
    return read_report(run).history if run.record("train") else []


def read_checkpoint_history(run: Run) -> list[Metrics] | None:
    """The metrics in the checkpoint; None if there is no checkpoint. Raises RunError."""
    path = run.path / CHECKPOINT / HISTORY_FILE
    for _attempt in range(20):
        if run.record(CHECKPOINT) is None:
            return None
        try:
            return dataclass_from_json(History, read_json(path)).metrics
        except FileNotFoundError as error:
            cause: Exception = error
            time.sleep(0.01)  # a new checkpoint may be between its two renames, or the training has just ended
        except (OSError, ValueError, TypeError, OverflowError) as error:
            cause = error
            break
    raise RunError(
        _("{path} cannot be read: {reason}", path=path, reason=one_line(cause)),
        hint=_("train again: {command}", command=run.command_for("train")),
    ) from cause


def read_report(run: Run) -> TrainingReport:
    """The metrics.json of a finished training. Raises RunError if it cannot be read."""
    path = run.file("train/metrics.json")
    try:
        return dataclass_from_json(TrainingReport, read_json(path))
    except (OSError, ValueError, TypeError, OverflowError) as error:
        raise RunError(
            _("{path} cannot be read: {reason}", path=path, reason=one_line(error)), run.command_for("train")
        ) from error
