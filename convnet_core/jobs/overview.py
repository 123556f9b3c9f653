"""A summary of a run for the list of runs and the home page. Reads only the run's small JSON files."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from convnet_core.common.formatting import format_share, format_size, join_clauses, join_words
from convnet_core.compare.converters import not_compared
from convnet_core.config.stages import TrainConfig
from convnet_core.errors import ConfigError, RunError
from convnet_core.jobs import watcher
from convnet_core.jobs.job_info import JobInfo
from convnet_core.jobs.job_progress import progress_of
from convnet_core.jobs.watcher import JobView
from convnet_core.language import _, plural
from convnet_core.runs.names import notes_of, shown_names, title_of
from convnet_core.runs.run import Run
from convnet_core.runs.stage_folders import CHECKPOINT, PIPELINE
from convnet_core.runs.stage_record import StageRecord
from convnet_core.runs.stage_results import ComparisonResult, ConversionResult, ExportResult, TrainingResult

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class StageView:
    """A stage as the user sees it: the state of its folder, or of the newest job if that is running or failed in it.

    `name` is the name of its command; `converter` is empty except for a conversion. `detail` is one line: the result,
    or what is wrong. `refuted` is whether the stage is a comparison that found a difference.
    """

    name: str
    converter: str
    state: Literal["missing", "waiting", "running", "fresh", "stale", "failed", "stopped"]
    detail: str = ""
    refuted: bool = False


NOTHING_MADE = {stage: StageView(stage.partition("/")[0], "", "missing") for stage in PIPELINE}
"""The stages of a run on digits that does not exist yet."""


@dataclass(frozen=True)
class Overview:
    """One row of the list of runs; values that are not known yet are None.

    `name` is the folder's name, `title` what people call the run.
    `running` is the command that is running; `resumable` is true if a stopped training can be resumed. `not_compared`
    are the converters that the verdict does not cover.
    """

    name: str
    path: str
    title: str
    notes: str
    created: str
    stages: dict[str, StageView]
    data: str | None
    architecture: str | None
    accuracy: float | None
    verdict: str | None
    not_compared: tuple[str, ...]
    resumable: bool
    running: str | None

    @property
    def verdict_text(self) -> str:
        """The verdict, and what it does not cover; a dash if there is none."""
        return _with_others(_(self.verdict), self.not_compared) if self.verdict else "–"

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; of each stage only the state."""
        return {**vars(self), "stages": {name: stage.state for name, stage in self.stages.items()}}


def overview(run: Run) -> Overview:
    """Summarize a run. Omits the verdict of a stale comparison."""
    info = run.info
    train, checkpoint = _record(run, "train"), _record(run, CHECKPOINT)
    trained = _result(train, TrainingResult)
    config = _config(train)
    job = watcher.current(run)
    running = job[1].command if job and job[1].live else None
    stages = stage_views(run, job)
    compared = _result(_record(run, "compare"), ComparisonResult)
    verdict = compared.verdict if compared and stages["compare"].state == "fresh" else None
    return Overview(
        name=run.name,
        path=str(run.path),
        title=title_of(run),
        notes=notes_of(run),
        created=str(info.get("created", "")),
        stages=stages,
        data=config.data.source if config else None,
        architecture=config.model.architecture if config else None,
        accuracy=trained.test_accuracy if trained else None,
        verdict=verdict,
        not_compared=tuple(not_compared(run)) if verdict else (),
        resumable=running is None and checkpoint is not None and (train is None or checkpoint.created > train.created),
        running=running,
    )


def overviews(runs: Sequence[Run]) -> list[Overview]:
    """Summarize runs for a list, in which each has another title."""
    titles = shown_names(runs)
    return [dataclasses.replace(overview(run), title=titles[run.name]) for run in runs]


def stage_views(run: Run, job: tuple[JobView, JobInfo] | None) -> dict[str, StageView]:
    """All stages of the run, by folder; `job` is the run's newest job."""
    views = {}
    for stage in run.stages:
        state = run.state(stage)
        name, converter = stage.partition("/")[::2]
        record = _record(run, stage)
        compared = _result(record, ComparisonResult) if stage == "compare" and state.state == "fresh" else None
        refuted = compared is not None and compared.verdict != "agree"
        views[stage] = StageView(name, converter, state.state, state.reason or _outcome(run, record), refuted)
    if job is None or job[1].state == "done":
        return views
    view, info = job
    progress = progress_of(view)
    first_stage = {"pipeline": "train", "upload": "export"}.get(info.command, info.command)
    current = progress.current_stage if progress.started else first_stage
    for stage, stage_view in views.items():
        if stage_view.name == current:
            views[stage] = _with_job_state(stage_view, info)
        elif info.live and info.command in ("pipeline", "upload") and stage_view.name not in progress.done:
            views[stage] = dataclasses.replace(stage_view, state="waiting", detail="")
    return views


def _with_job_state(view: StageView, info: JobInfo) -> StageView:
    if info.live:
        return dataclasses.replace(view, state="running", detail="")
    state: Literal["stopped", "failed"] = "stopped" if info.state == "stopped" else "failed"
    return dataclasses.replace(view, state=state, detail=info.error or "")


_RESULTS: dict[str, type[Any]] = {
    "train": TrainingResult,
    "export": ExportResult,
    "convert": ConversionResult,
    "compare": ComparisonResult,
}
"""The result of each command."""


def _outcome(run: Run, record: StageRecord | None) -> str:
    """The result of a stage in a few words."""
    kind = _RESULTS.get(record.stage.split("/")[0]) if record else None
    match kind and _result(record, kind):
        case TrainingResult() as trained:
            return _("{share} correct", share=format_share(trained.test_accuracy))
        case ExportResult() as exported:
            size = format_size(exported.bytes)
            return plural("{count} node, {size}", "{count} nodes, {size}", exported.nodes, size=size)
        case ConversionResult() as converted:
            artifacts = plural("{count} artifact", "{count} artifacts", len(converted.sizes))
            return plural(
                "{count} op, {artifacts}", "{count} ops, {artifacts}", converted.tensorflow_ops, artifacts=artifacts
            )
        case ComparisonResult() as compared:
            return _verdict(compared, not_compared(run))
    return ""


def _verdict(compared: ComparisonResult, others: Sequence[str]) -> str:
    """How many runtimes agree, or disagree, and the converters that were not compared."""
    count, failed = len(compared.runtimes), sum(not passed for passed in compared.runtimes.values())
    if compared.verdict == "agree":
        text = plural("{count} runtime agrees", "{count} runtimes agree", count)
    else:
        text = plural("{count} of {total} disagrees", "{count} of {total} disagree", failed, total=count)
    return _with_others(text, others)


def _with_others(text: str, others: Sequence[str]) -> str:
    if not others:
        return text
    return join_clauses([text, _("{converters} not compared", converters=join_words(others))])


def _record(run: Run, stage: str) -> StageRecord | None:
    try:
        return run.record(stage)
    except RunError:
        return None  # the stage's state reports the damage


def _config(record: StageRecord | None) -> TrainConfig | None:
    try:
        return TrainConfig.from_json(record.config) if record else None
    except ConfigError:
        return None  # as in `_result`


def _result(record: StageRecord | None, kind: type[_Result]) -> _Result | None:
    try:
        return record.result_as(kind) if record else None
    except RunError:
        return None  # the list shows the other runs; the stage's own page reports the damage
