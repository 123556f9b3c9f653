"""What a run's training came to: its course, wherever it is kept, and its test. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from convnet_core.data.split import CLASSES
from convnet_core.errors import RunError, one_line
from convnet_core.events import Metrics
from convnet_core.files import read_json
from convnet_core.runs import Run
from convnet_core.shapes import made

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


def history(run: Run) -> list[Metrics]:
    """The metrics of a training that was stopped, else of the one that is finished; empty where there is none.

    Raises RunError where they cannot be read.
    """
    stopped = run.record("checkpoint")
    if stopped is None:
        return measured(run).history if run.record("train") else []
    try:
        return [made(Metrics, item) for item in stopped.result["history"]]
    except (TypeError, KeyError, OverflowError) as error:
        raise RunError(f"the training history of {run.name} cannot be read: {one_line(error)}") from error


def measured(run: Run) -> Figures:
    """What a finished training measured. Raises RunError where it cannot be read."""
    path = run.path / "train" / "metrics.json"
    try:
        return made(Figures, read_json(path))
    except (OSError, ValueError, TypeError, OverflowError) as error:
        raise RunError(f"{path} cannot be read: {one_line(error)}", run.command_for("train")) from error
