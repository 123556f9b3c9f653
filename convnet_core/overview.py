"""A run at a glance, from its small JSON files alone: what the list of runs and the home page show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from convnet_core import jobs
from convnet_core.errors import RunError
from convnet_core.records import StageRecord, StageState
from convnet_core.runs import STAGES, Run


@dataclass(frozen=True)
class Overview:
    """One line of the list of runs; what is not known yet is None.

    `running` is the command at work; `resumable` says that a training was stopped and can go on.
    """

    name: str
    path: str
    title: str
    created: str
    stages: dict[str, StageState]
    data: str | None
    architecture: str | None
    accuracy: float | None
    verdict: str | None
    resumable: bool
    running: str | None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; a stage is its state alone."""
        return {**vars(self), "stages": {name: state.state for name, state in self.stages.items()}}


def overview(run: Run) -> Overview:
    """Look at a run. The verdict of a stale comparison is not repeated."""
    info = run.info
    stages = {stage: run.state(stage) for stage in STAGES}
    train, compare, checkpoint = (_record(run, name) for name in ("train", "compare", "checkpoint"))
    job = jobs.current(run)
    running = job[1].command if job and job[1].live else None
    fresh = stages["compare"].state == "fresh"
    return Overview(
        name=run.name,
        path=str(run.path),
        title=str(info.get("title", run.name)),
        created=str(info.get("created", "")),
        stages=stages,
        data=train.config["data"]["source"] if train else None,
        architecture=train.config["model"]["architecture"] if train else None,
        accuracy=train.result["test_accuracy"] if train else None,
        verdict=compare.result["verdict"] if compare and fresh else None,
        resumable=running is None and checkpoint is not None and (train is None or checkpoint.created > train.created),
        running=running,
    )


def _record(run: Run, stage: str) -> StageRecord | None:
    try:
        return run.record(stage)
    except RunError:
        return None  # its state says so
