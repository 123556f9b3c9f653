"""A run at a glance, from its small JSON files alone: what the list of runs and the home page show."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from convnet_core.common.formatting import format_count, format_share, format_size
from convnet_core.errors import RunError
from convnet_core.jobs import watcher
from convnet_core.jobs.followed_events import following
from convnet_core.jobs.job_info import JobInfo
from convnet_core.jobs.watcher import JobView
from convnet_core.runs.run import Run
from convnet_core.runs.stage_folders import CHECKPOINT
from convnet_core.runs.stage_record import StageRecord


@dataclass(frozen=True)
class StageView:
    """A stage as people see it: its folder's state, or what its newest job is doing or failed at.

    `name` is its command's, `converter` is empty but for a conversion. `detail` is one line: what came out, or why it
    is not as it should be.
    """

    name: str
    converter: str
    state: Literal["missing", "waiting", "running", "fresh", "stale", "failed", "stopped"]
    detail: str = ""


@dataclass(frozen=True)
class Overview:
    """One line of the list of runs; what is not known yet is None.

    `running` is the command at work; `resumable` says that a training was stopped and can go on.
    """

    name: str
    path: str
    title: str
    created: str
    stages: dict[str, StageView]
    data: str | None
    architecture: str | None
    accuracy: float | None
    verdict: str | None
    resumable: bool
    running: str | None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; a stage is its state alone."""
        return {**vars(self), "stages": {name: stage.state for name, stage in self.stages.items()}}


def overview(run: Run) -> Overview:
    """Look at a run. The verdict of a stale comparison is not repeated."""
    info = run.info
    train, checkpoint = _record(run, "train"), _record(run, CHECKPOINT)
    job = watcher.current(run)
    running = job[1].command if job and job[1].live else None
    stages = stage_views(run, job)
    compare = _record(run, "compare")
    return Overview(
        name=run.name,
        path=str(run.path),
        title=str(info.get("title", run.name)),
        created=str(info.get("created", "")),
        stages=stages,
        data=train.config["data"]["source"] if train else None,
        architecture=train.config["model"]["architecture"] if train else None,
        accuracy=train.result["test_accuracy"] if train else None,
        verdict=compare.result["verdict"] if compare and stages["compare"].state == "fresh" else None,
        resumable=running is None and checkpoint is not None and (train is None or checkpoint.created > train.created),
        running=running,
    )


def stage_views(run: Run, job: tuple[JobView, JobInfo] | None) -> dict[str, StageView]:
    """Every stage of the pipeline, by its folder; `job` is the run's newest."""
    views = {}
    for stage in run.stages:
        state = run.state(stage)
        name, _, converter = stage.partition("/")
        views[stage] = StageView(name, converter, state.state, state.reason or _outcome(_record(run, stage)))
    if job is None or job[1].state == "done":
        return views
    view, info = job
    told = following(view)
    at = told.at if told.begun else "train" if info.command == "pipeline" else info.command
    for stage, before in views.items():
        if before.name == at:
            views[stage] = _at_work(before, info)
        elif info.live and info.command == "pipeline" and before.name not in told.done:
            views[stage] = dataclasses.replace(before, state="waiting", detail="")
    return views


def _at_work(view: StageView, info: JobInfo) -> StageView:
    if info.live:
        return dataclasses.replace(view, state="running", detail="")
    state: Literal["stopped", "failed"] = "stopped" if info.state == "stopped" else "failed"
    return dataclasses.replace(view, state=state, detail=info.error or "")


def _command(stage: str) -> str:
    return stage.split("/")[0]


def _outcome(record: StageRecord | None) -> str:
    """What came out of a stage, in a few words."""
    if record is None:
        return ""
    match _command(record.stage):
        case "train":
            return f"{format_share(record.result['test_accuracy'])} right"
        case "export":
            return f"{format_count(record.result['nodes'], 'node')}, {format_size(record.result['bytes'])}"
        case "convert":
            ops, sizes = record.result["tensorflow_ops"], record.result["sizes"]
            return f"{format_count(ops, 'op')}, {format_count(len(sizes), 'artefact')}"
        case "compare":
            return f"{format_count(len(record.result['runtimes']), 'runtime')} {record.result['verdict']}"
        case _:
            return ""


def _record(run: Run, stage: str) -> StageRecord | None:
    try:
        return run.record(stage)
    except RunError:
        return None  # its state says so
