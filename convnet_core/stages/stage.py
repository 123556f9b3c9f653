"""What the stages share."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

from convnet_core.errors import Stopped
from convnet_core.events import Monitor, StageDone, StageStarted


@dataclass(frozen=True)
class ExportResult:
    """What was exported, what was checked, and the largest error against PyTorch on five images, where it was there."""

    nodes: int
    bytes: int
    opset: int
    checked: str
    max_abs_error: float | None


class StageSummary:
    """Holds the line that `told` will tell at the end."""

    summary = ""


@contextlib.contextmanager
def stage_events(stage: str, monitor: Monitor) -> Iterator[StageSummary]:
    """Tell that a stage begins and, when it ends well, how long it took."""
    if monitor.stop_requested():
        raise Stopped(f"stopped before {stage}")
    monitor.emit(StageStarted(stage=stage))
    began = time.monotonic()
    line = StageSummary()
    yield line
    monitor.emit(StageDone(stage=stage, seconds=round(time.monotonic() - began, 2), summary=line.summary))
