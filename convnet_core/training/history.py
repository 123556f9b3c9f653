"""What a run's training came to: its course, wherever it is kept, and its test. Imports no torch."""

from __future__ import annotations

import time
from dataclasses import dataclass

from convnet_core.common.dataclass_json import dataclass_from_json
from convnet_core.common.files import read_json
from convnet_core.data.split import CLASSES
from convnet_core.errors import RunError, one_line
from convnet_core.events import Metrics
from convnet_core.runs.run import Run
from convnet_core.runs.stage_folders import CHECKPOINT

HISTORY_FILE = "history.json"

_MOST_IMAGES = 1 << 40  # what no test set has; a chart takes no whole numbers of any size


@dataclass(frozen=True)
class Trained:
    """Accuracy (a share) and mean cross-entropy on the test set, the seconds of the training alone, and its device."""

    test_accuracy: float
    test_loss: float
    seconds: float
    device: str


@dataclass(frozen=True)
class Mistake:
    """A test image that was read wrong: its place in the test set, what it is, and the answer with its probability."""

    index: int
    truth: int
    answer: int
    probability: float


@dataclass(frozen=True)
class Figures:
    """What metrics.json has. `confusion` counts images, row: the truth; column: the answer. The worst mistake first."""

    test: Trained
    confusion: tuple[tuple[int, ...], ...]
    history: list[Metrics]
    mistakes: tuple[Mistake, ...] = ()

    def __post_init__(self) -> None:
        rows = (self.confusion, *self.confusion)
        counts = (count for row in self.confusion for count in row)
        if any(len(row) != CLASSES for row in rows) or not all(0 <= count < _MOST_IMAGES for count in counts):
            raise ValueError(f"confusion must be {CLASSES} rows of {CLASSES} numbers of images")
        if any(mistake.index < 0 for mistake in self.mistakes):
            raise ValueError("a mistake's index must be a place in the test set")


@dataclass(frozen=True)
class History:
    """What a checkpoint's history.json has: it grows with the training, and lists of runs read `stage.json` alone."""

    metrics: list[Metrics]


def history(run: Run) -> list[Metrics]:
    """The metrics of a training that was stopped, else of the one that is finished; empty where there is none.

    Raises RunError where they cannot be read.
    """
    stopped = stopped_history(run)
    if stopped is not None:
        return stopped
    return measured(run).history if run.record("train") else []


def stopped_history(run: Run) -> list[Metrics] | None:
    """The metrics that the checkpoint keeps; None where there is no checkpoint. Raises RunError."""
    path = run.path / CHECKPOINT / HISTORY_FILE
    for _ in range(20):
        if run.record(CHECKPOINT) is None:
            return None
        try:
            return dataclass_from_json(History, read_json(path)).metrics
        except FileNotFoundError as error:
            fault: Exception = error
            time.sleep(0.01)  # the next checkpoint may stand between its two renames, or the training has ended
        except (OSError, ValueError, TypeError, OverflowError) as error:
            fault = error
            break
    raise RunError(
        f"{path} cannot be read: {one_line(fault)}", hint=f"train anew: {run.command_for('train')}"
    ) from fault


def measured(run: Run) -> Figures:
    """What a finished training measured. Raises RunError where it cannot be read."""
    path = run.file("train/metrics.json")
    try:
        return dataclass_from_json(Figures, read_json(path))
    except (OSError, ValueError, TypeError, OverflowError) as error:
        raise RunError(f"{path} cannot be read: {one_line(error)}", run.command_for("train")) from error
