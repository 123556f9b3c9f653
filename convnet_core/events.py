"""What a stage tells while it works, and how it hears that it should stop.

Events are small frozen dataclasses that travel as JSON lines: a job appends them to
`events.jsonl`, the command line draws them as bars, the app follows the file.
"""

from __future__ import annotations

import dataclasses
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar

from convnet_core.common.dataclass_json import dataclass_from_json


@dataclass(frozen=True, kw_only=True)
class Event:
    """Base of all events; `kind` names the class in JSON."""

    kind: ClassVar[str]

    def to_json(self) -> dict[str, Any]:
        """The event as a JSON object, its `kind` first."""
        return {"kind": self.kind, **dataclasses.asdict(self)}


@dataclass(frozen=True, kw_only=True)
class StageStarted(Event):
    """A stage begins."""

    kind = "stage-started"
    stage: str


@dataclass(frozen=True, kw_only=True)
class StageDone(Event):
    """A stage has written its folder. `summary` is one line for people."""

    kind = "stage-done"
    stage: str
    seconds: float
    summary: str = ""


@dataclass(frozen=True, kw_only=True)
class Progress(Event):
    """`done` of `total` units of the named piece of work."""

    kind = "progress"
    label: str
    done: int
    total: int
    unit: str = ""


@dataclass(frozen=True, kw_only=True)
class Metrics(Event):
    """Where the training is. Accuracies are shares from 0 to 1.

    `loss` and `accuracy` are means over the training images since the last event;
    the validation figures are there at the end of an epoch only, and only with a held-out set.
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


@dataclass(frozen=True, kw_only=True)
class Message(Event):
    """A sentence for people."""

    kind = "message"
    text: str


_KINDS: dict[str, type[Event]] = {cls.kind: cls for cls in (StageStarted, StageDone, Progress, Metrics, Message)}


def from_json(value: Any) -> Event | None:
    """The event that `to_json` wrote; None for a kind or a shape that this version does not know."""
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
    """What a stage is given by whoever started it: somewhere to tell, something to ask.

    This base is silent and never stops anything; `jobs.Job` is the one with ears.
    """

    def emit(self, event: Event) -> None:
        """Tell."""

    def stopping(self) -> bool:
        """Whether somebody asked for a stop. Cheap enough to ask once a batch."""
        return False

    def listening(self) -> AbstractContextManager[None]:
        """Entered by a stage that asks `stopping()` itself, so that a signal need not end it."""
        return nullcontext()
