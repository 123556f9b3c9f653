"""A job's events as they add up: what a page needs to draw it, read by offset and never twice."""

from __future__ import annotations

import threading

from convnet_core.events import Event, Metrics, StageDone, StageStarted
from convnet_core.jobs.watch import JobView

_MOST_METRICS = 500  # a chart is no wider than twice as many pixels, and whoever watches gets all of it each second


class Following:
    """What a job has told so far; `update` reads what is new, and may be called from several threads.

    `latest` is the newest event of the stage at work, None between stages; `metrics` are those of the training, the
    older ones thinned where there are more than a chart can show.
    """

    def __init__(self, job: JobView) -> None:
        self.job = job
        self.begun: list[str] = []
        self.done: dict[str, StageDone] = {}
        self.latest: Event | None = None
        self.metrics: list[Metrics] = []
        self._offset = 0
        self._lock = threading.Lock()

    @property
    def at(self) -> str | None:
        """The stage that was begun and has not ended well."""
        return next((stage for stage in reversed(self.begun) if stage not in self.done), None)

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
                self.metrics.append(event)
                if len(self.metrics) > 2 * _MOST_METRICS:
                    self.metrics = thinned(self.metrics)


def thinned(history: list[Metrics]) -> list[Metrics]:
    """Every second one, and each that ends an epoch."""
    return [item for place, item in enumerate(history) if place % 2 == 0 or item.validation_loss is not None]
