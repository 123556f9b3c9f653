"""A job's events as they add up: what a page needs to draw it, read by offset and never twice."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterable
from pathlib import Path

from convnet_core.events import Event, Metrics, StageDone, StageStarted
from convnet_core.jobs.watcher import JobView

_MOST = 1000  # a chart is no more pixels wide, and whoever watches gets all of it each second


class Course:
    """The metrics of a training, evenly thinned: every nth one, each that ends an epoch, and the newest."""

    def __init__(self) -> None:
        self._kept: list[tuple[int, Metrics]] = []
        self._newest: Metrics | None = None
        self._count, self._every = 0, 1

    def add(self, metrics: Metrics) -> None:
        self._newest = metrics
        if self._stays(self._count, metrics):
            self._kept.append((self._count, metrics))
        self._count += 1
        if self._count > _MOST * self._every:
            self._every *= 2
            self._kept = [(place, item) for place, item in self._kept if self._stays(place, item)]

    def _stays(self, place: int, metrics: Metrics) -> bool:
        return place % self._every == 0 or metrics.validation_loss is not None

    @property
    def metrics(self) -> list[Metrics]:
        """From the oldest to the newest."""
        found = [item for _, item in self._kept]
        if self._newest is not None and (not found or found[-1] is not self._newest):
            found.append(self._newest)
        return found


def thinned(history: Iterable[Metrics]) -> list[Metrics]:
    """The course of a training with no more of it than a chart can show."""
    course = Course()
    for metrics in history:
        course.add(metrics)
    return course.metrics


class Following:
    """What a job has told so far; `update` reads what is new, and may be called from several threads.

    `latest` is the newest event of the stage at work, None between stages; `metrics` are those of the training,
    thinned where there are more than a chart can show.
    """

    def __init__(self, job: JobView) -> None:
        self.job = job
        self.begun: list[str] = []
        self.done: dict[str, StageDone] = {}
        self.latest: Event | None = None
        self._course = Course()
        self._offset = 0
        self._lock = threading.Lock()

    @property
    def at(self) -> str | None:
        """The stage that was begun and has not ended well."""
        return next((stage for stage in reversed(self.begun) if stage not in self.done), None)

    @property
    def metrics(self) -> list[Metrics]:
        return self._course.metrics

    def update(self) -> None:
        """Take in the events since the last call."""
        with self._lock:
            events, self._offset = self.job.events(self._offset)
            for event in events:
                self._take(event)

    def _take(self, event: Event) -> None:
        self.latest = event
        match event:
            case StageStarted(stage=stage):
                self.begun.append(stage)
                self.latest = None
            case StageDone(stage=stage):
                self.done[stage] = event
                self.latest = None
            case Metrics():
                self._course.add(event)


def following(job: JobView) -> Following:
    """What a job has told by now; kept for the whole process, so that each look reads only what is new."""
    told = _kept(job.folder)
    told.update()
    return told


@functools.lru_cache(maxsize=64)  # more than Home shows runs
def _kept(folder: Path) -> Following:
    return Following(JobView(folder))
