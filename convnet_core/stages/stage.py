"""The result and the events that several stages share."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

from convnet_core.errors import Stopped
from convnet_core.events import Monitor, StageDone, StageStarted


@dataclass(frozen=True)
class ExportResult:
    """The exported model, what was checked, and its largest error against PyTorch on five images.

    The error is None if there was no PyTorch network to compare with.
    """

    nodes: int
    bytes: int
    opset: int
    checked: str
    max_abs_error: float | None


class StageSummary:
    """The line for people that `stage_events` emits at the end."""

    summary = ""


@contextlib.contextmanager
def stage_events(stage: str, monitor: Monitor) -> Iterator[StageSummary]:
    """Emit that a stage has started and, if it succeeds, how long it took. Raises Stopped if a stop was requested."""
    if monitor.stop_requested():
        raise Stopped(f"stopped before {stage}")
    monitor.emit(StageStarted(stage=stage))
    start = time.monotonic()
    line = StageSummary()
    yield line
    monitor.emit(StageDone(stage=stage, seconds=round(time.monotonic() - start, 2), summary=line.summary))
