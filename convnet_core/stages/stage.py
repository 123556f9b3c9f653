"""The events that all stages emit."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from convnet_core.errors import Stopped
from convnet_core.events import Monitor, StageDone, StageStarted
from convnet_core.language import _


class StageSummary:
    """The line for people that `stage_events` emits at the end."""

    summary = ""


@contextlib.contextmanager
def stage_events(stage: str, monitor: Monitor) -> Iterator[StageSummary]:
    """Emit that a stage has started and, if it succeeds, how long it took. Raises Stopped if a stop was requested."""
    if monitor.stop_requested():
        raise Stopped(_("stopped before {stage}", stage=stage))
    monitor.emit(StageStarted(stage=stage))
    start = time.monotonic()
    line = StageSummary()
    yield line
    monitor.emit(StageDone(stage=stage, seconds=round(time.monotonic() - start, 2), summary=line.summary))
