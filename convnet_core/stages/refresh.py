"""Bring a run up to date: rerun every missing or stale stage in order, with its previous settings."""

from __future__ import annotations

from typing import TypeVar

from convnet_core.config.fields import Config
from convnet_core.config.stages import CompareConfig, ConvertConfig, ExportConfig, TrainConfig
from convnet_core.convert.loaded_model import load_model
from convnet_core.errors import RunError
from convnet_core.events import Monitor
from convnet_core.language import _
from convnet_core.runs.provenance import data_of, inputs_of
from convnet_core.runs.run import Run
from convnet_core.runs.stage_folders import CHECKPOINT, CONVERT_STAGES
from convnet_core.stages.compare import run_compare
from convnet_core.stages.convert import run_convert
from convnet_core.stages.export import run_export
from convnet_core.stages.train import run_train

_Config = TypeVar("_Config", bound=Config)

_IMPORT_COMMANDS = {"onnx": "convert --onnx FILE", "factory": "export --factory PACKAGE.MODULE:FUNCTION"}
"""The input that the record of an export names for an imported model, and the command that imports it."""


def run_refresh(run: Run, monitor: Monitor) -> list[str]:
    """Rerun missing and stale stages; the names of those that ran.

    A stopped training continues from its checkpoint. A run with imported weights or an imported model skips the
    training. Raises RunError if there is nothing to start from, or if an imported model would have to be exported.
    """
    stages, model = list[str](), None
    for stage in run.stages:
        if run.state(stage).state == "fresh" or (stage == "train" and _is_imported(run)):
            continue
        match stage:
            case "train":
                _train(run, monitor)
            case "export":
                _refuse_imported_model(run)
                run_export(run, _config(run, stage, ExportConfig()), monitor)
            case "compare":
                model = model or load_model(run)
                run_compare(
                    run,
                    _config(run, stage, CompareConfig()),
                    monitor,
                    data_config=data_of(run, stage),
                    input_spec=inputs_of(run, stage, *CONVERT_STAGES),
                    model=model,
                )
            case _:
                model = model or load_model(run)
                run_convert(
                    run,
                    _config(run, stage, ConvertConfig()),
                    monitor,
                    data_config=data_of(run, stage),
                    input_spec=inputs_of(run, stage, "compare"),
                    model=model,
                )
        stages.append(stage)
    return stages


def _is_imported(run: Run) -> bool:
    record = run.record("export")
    return record is not None and bool({"weights", *_IMPORT_COMMANDS} & set(record.inputs))


def _refuse_imported_model(run: Run) -> None:
    """Raises RunError for an imported model: it cannot be exported, only imported again."""
    record = run.record("export")
    for name, command in _IMPORT_COMMANDS.items():
        if record is not None and name in record.inputs:
            raise RunError(
                _("the model of the run {run} was imported", run=run.name),
                hint=_("import it again: {command}", command=f"`{command} --run DIR`"),
            )


def _train(run: Run, monitor: Monitor) -> None:
    resumable = run.record(CHECKPOINT) is not None
    if run.state("train").state == "missing" and not resumable:
        raise RunError(
            _("the run {run} has no training to start from", run=run.name), hint=_("train it: `train --run DIR`")
        )
    run_train(run, _config(run, "train", TrainConfig()), monitor, resume=resumable, repeat=True)


def _config(run: Run, stage: str, default: _Config) -> _Config:
    """The settings of the stage's last run; the default if there was none or its record cannot be read."""
    try:
        record = run.record(stage)
    except RunError:
        return default
    return type(default).from_json(record.config) if record else default
