"""Bring a run up to date: every stage that is missing or stale, in order, with the settings that it had."""

from __future__ import annotations

from typing import TypeVar

from convnet_core.config.fields import Config
from convnet_core.config.stages import CompareConfig, ConvertConfig, ExportConfig, TrainConfig
from convnet_core.errors import RunError
from convnet_core.events import Monitor
from convnet_core.runs.provenance import data_of, inputs_of
from convnet_core.runs.run import Run
from convnet_core.runs.stage_folders import CHECKPOINT, CONVERT_STAGES
from convnet_core.stages.compare import run_compare
from convnet_core.stages.convert import run_convert
from convnet_core.stages.export import run_export
from convnet_core.stages.train import run_train

_Made = TypeVar("_Made", bound=Config)

_ELSEWHERE = {"onnx": "convert --onnx FILE", "factory": "export --factory PACKAGE.MODULE:FUNCTION"}
"""What the record of an export names where the model came from elsewhere, and the command that brought it in."""


def run_refresh(run: Run, monitor: Monitor) -> list[str]:
    """Run what has to be run; the names of those stages.

    A training that was stopped goes on from its checkpoint. A run whose weights or model came from elsewhere begins
    after its training. Raises RunError where there is nothing to begin with, or where a model from elsewhere would
    have to be exported again.
    """
    done = []
    for stage in run.stages:
        if run.state(stage).state == "fresh" or (stage == "train" and _came_without_training(run)):
            continue
        match stage:
            case "train":
                _train(run, monitor)
            case "export":
                _need_own_weights(run)
                run_export(run, _config(run, stage, ExportConfig()), monitor)
            case "compare":
                run_compare(
                    run,
                    _config(run, stage, CompareConfig()),
                    monitor,
                    data_config=data_of(run, stage),
                    input_spec=inputs_of(run, stage, *CONVERT_STAGES),
                )
            case _:
                run_convert(
                    run,
                    _config(run, stage, ConvertConfig()),
                    monitor,
                    data_config=data_of(run, stage),
                    input_spec=inputs_of(run, stage, "compare"),
                )
        done.append(stage)
    return done


def _came_without_training(run: Run) -> bool:
    record = run.record("export")
    return record is not None and bool({"weights", *_ELSEWHERE} & set(record.inputs))


def _need_own_weights(run: Run) -> None:
    """A model from elsewhere is not exported here: it has to be brought in again."""
    record = run.record("export")
    for name, command in _ELSEWHERE.items():
        if record is not None and name in record.inputs:
            raise RunError(f"the run {run.name} holds a model from elsewhere", hint=f"`{command} --run DIR` again")


def _train(run: Run, monitor: Monitor) -> None:
    resumable = run.record(CHECKPOINT) is not None
    if run.state("train").state == "missing" and not resumable:
        raise RunError(f"the run {run.name} has no training to begin with", hint="train it: `train --run DIR`")
    run_train(run, _config(run, "train", TrainConfig()), monitor, resume=resumable)


def _config(run: Run, stage: str, default: _Made) -> _Made:
    """The settings that a stage was run with; the default where it was not, or cannot be read."""
    try:
        record = run.record(stage)
    except RunError:
        return default
    return type(default).from_json(record.config) if record else default
