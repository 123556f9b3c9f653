"""A job's progress, accumulated from its events, for pages to draw. Reads each event only once."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from convnet_core.events import Event, Metrics, Preview, Settings, StageDone, StageStarted
from convnet_core.jobs.preview_file import read_preview
from convnet_core.jobs.watcher import JobView

_MAX_POINTS = 1000  # a chart is at most this many pixels wide, and each viewer gets all points every second


class ThinnedMetrics:
    """Training metrics, evenly thinned: every nth one, the last of each epoch, and the newest."""

    def __init__(self) -> None:
        self._points: list[tuple[int, Metrics]] = []
        self._newest: Metrics | None = None
        self._count, self._every = 0, 1

    def add(self, metrics: Metrics) -> None:
        self._newest = metrics
        if self._keeps(self._count, metrics):
            self._points.append((self._count, metrics))
        self._count += 1
        if self._count > _MAX_POINTS * self._every:
            self._every *= 2
            self._points = [(index, item) for index, item in self._points if self._keeps(index, item)]

    def _keeps(self, index: int, metrics: Metrics) -> bool:
        return index % self._every == 0 or metrics.validation_loss is not None

    @property
    def metrics(self) -> list[Metrics]:
        """From oldest to newest."""
        metrics = [item for _, item in self._points]
        if self._newest is not None and (not metrics or metrics[-1] is not self._newest):
            metrics.append(self._newest)
        return metrics


def thin(history: Iterable[Metrics]) -> list[Metrics]:
    """Thin the metrics of a training to about as many as a chart can show."""
    thinned = ThinnedMetrics()
    for metrics in history:
        thinned.add(metrics)
    return thinned.metrics


class JobProgress:
    """The progress of a job. `update` reads the new events; thread-safe.

    `latest` is the newest event of the current stage, None between stages; `settings` is the config of the newest stage
    that reported one. `metrics` are the training metrics,
    thinned if there are more than a chart can show.
    """

    def __init__(self, job: JobView) -> None:
        self.job = job
        self.started: list[str] = []
        self.done: dict[str, StageDone] = {}
        self.latest: Event | None = None
        self.settings: dict[str, Any] = {}
        self._thinned = ThinnedMetrics()
        self._offset = 0
        self._lock = threading.Lock()

    @property
    def current_stage(self) -> str | None:
        """The stage that has started and not finished (or failed)."""
        return next((stage for stage in reversed(self.started) if stage not in self.done), None)

    @property
    def metrics(self) -> list[Metrics]:
        return self._thinned.metrics

    @property
    def preview(self) -> Preview | None:
        """The newest preview of the training; None before the first. Raises RunError if its file is damaged."""
        return read_preview(self.job.folder)

    def update(self) -> None:
        """Process the events since the last call."""
        with self._lock:
            events, self._offset = self.job.events(self._offset)
            for event in events:
                self._add(event)

    def _add(self, event: Event) -> None:
        if isinstance(event, Settings):
            self.settings = event.config
            return
        self.latest = event
        match event:
            case StageStarted(stage=stage):
                self.started.append(stage)
                self.latest = None
            case StageDone(stage=stage):
                self.done[stage] = event
                self.latest = None
            case Metrics():
                self._thinned.add(event)


def progress_of(job: JobView) -> JobProgress:
    """The current progress of a job; cached for the process, so each call reads only new events."""
    progress = _cached_progress(job.folder)
    progress.update()
    return progress


@functools.lru_cache(maxsize=64)  # more than the runs on the home page
def _cached_progress(folder: Path) -> JobProgress:
    return JobProgress(JobView(folder))
