"""Progress events that a stage emits, and the stop requests that it checks for.

Events are small frozen dataclasses, stored as JSON lines: a job appends them to
`events.jsonl`, the command line shows them as progress bars, and the app reads the file.
"""

from __future__ import annotations

import base64
import dataclasses
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar

from convnet_core.common.dataclass_json import dataclass_from_json


@dataclass(frozen=True, kw_only=True)
class Event:
    """Base class of all events; `kind` identifies the class in JSON."""

    kind: ClassVar[str]

    def to_json(self) -> dict[str, Any]:
        """The event as a JSON object, its `kind` first."""
        return {"kind": self.kind, **dataclasses.asdict(self)}


@dataclass(frozen=True, kw_only=True)
class StageStarted(Event):
    """A stage has started."""

    kind = "stage-started"
    stage: str


@dataclass(frozen=True, kw_only=True)
class StageDone(Event):
    """A stage has written its folder. `summary` is one line of text for the user."""

    kind = "stage-done"
    stage: str
    seconds: float
    summary: str = ""


@dataclass(frozen=True, kw_only=True)
class Settings(Event):
    """The settings that a stage runs with, as its config's `to_json`."""

    kind = "settings"
    config: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Progress(Event):
    """`done` of `total` units of the task `label` are finished."""

    kind = "progress"
    label: str
    done: int
    total: int
    unit: str = ""


@dataclass(frozen=True, kw_only=True)
class Metrics(Event):
    """Training metrics. Accuracies are fractions from 0 to 1.

    `loss` and `accuracy` are means over the training images since the last event. The
    validation figures come only at the end of an epoch, and only with a held-out set.
    """

    kind = "metrics"
    epoch: float
    step: int
    total_steps: int
    loss: float
    accuracy: float
    learning_rate: float
    images_per_second: float
    seconds_left: float
    validation_loss: float | None = None
    validation_accuracy: float | None = None


@dataclass(frozen=True)
class PreviewAnswer:
    """A test image, its true digit, and the network's current answer with its probability.

    `image` is 28 × 28 uint8 pixels, bright ink, as base64.
    """

    image: str
    truth: int
    answer: int
    probability: float

    def __post_init__(self) -> None:
        if len(base64.b64decode(self.image, validate=True)) != 28 * 28:
            raise ValueError("an image must have 28 × 28 pixels")
        if not (0 <= self.truth <= 9 and 0 <= self.answer <= 9 and 0 <= self.probability <= 1):
            raise ValueError("an answer must be a digit with a probability")


@dataclass(frozen=True, kw_only=True)
class Preview(Event):
    """What the network looks like now: the filters of its first layer, and its answers to a few test images.

    A job keeps only the newest, in a file of its own. `filters` is int8 [n, kernel, kernel] as base64, in which 127
    stands for the largest absolute weight of all.
    """

    kind = "preview"
    epoch: float
    kernel: int
    filters: str
    answers: tuple[PreviewAnswer, ...]

    def __post_init__(self) -> None:
        size, count = self.kernel**2, len(base64.b64decode(self.filters, validate=True))
        if not 1 <= self.kernel <= 28 or not 0 < count <= 4096 * size or count % size:
            raise ValueError(f"{count} weights are not filters of {self.kernel} × {self.kernel}")


@dataclass(frozen=True, kw_only=True)
class Message(Event):
    """A sentence for the user."""

    kind = "message"
    text: str


@dataclass(frozen=True, kw_only=True)
class Queued(Message):
    """The job waits for a device that another job is using."""

    kind = "queued"


_KINDS: dict[str, type[Event]] = {
    cls.kind: cls for cls in (StageStarted, Settings, StageDone, Progress, Metrics, Message, Queued)
}


def from_json(value: Any) -> Event | None:
    """Parse what `to_json` wrote; None if this version does not know the kind or its fields."""
    kind = value.get("kind") if isinstance(value, dict) else None
    cls = _KINDS.get(kind) if isinstance(kind, str) else None
    if cls is None:
        return None
    names = {field.name for field in dataclasses.fields(cls)}
    try:
        return dataclass_from_json(cls, {key: item for key, item in value.items() if key in names})
    except (TypeError, OverflowError):
        return None


class Monitor:
    """Receives a stage's events and passes on stop requests.

    This base class ignores events and never requests a stop; `jobs.Job` records events and receives stop requests.
    """

    def emit(self, event: Event) -> None:
        """Report an event."""

    def stop_requested(self) -> bool:
        """Whether the user asked for a stop. Cheap enough to call once per batch."""
        return False

    def defer_stop(self) -> AbstractContextManager[None]:
        """Inside this context a signal does not interrupt the stage, which polls `stop_requested()` itself."""
        return nullcontext()
