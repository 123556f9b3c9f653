"""Save and resume a training: weights, optimizer, random generator and position in the data.

A checkpoint is a folder in the run, written atomically like a stage's folder. Loading it runs no code from it.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from convnet_core.common.dataclass_json import dataclass_from_json
from convnet_core.common.files import write_json
from convnet_core.config.stages import TrainConfig
from convnet_core.errors import RunError, one_line
from convnet_core.language import _
from convnet_core.networks.weights import load_pth, save_pth
from convnet_core.runs.run import Run
from convnet_core.runs.stage_folders import CHECKPOINT
from convnet_core.training.history import HISTORY_FILE, History, read_checkpoint_history
from convnet_core.training.loop import Training, TrainingState
from convnet_core.training.optimizer import restore_optimizer

_FILE = "state.pth"


def save(run: Run, training: Training, config: TrainConfig, data: str) -> None:
    """Replace the run's checkpoint. `data` is the fingerprint of the data set."""
    with run.write_stage(CHECKPOINT, config.to_json()) as draft:
        draft.inputs["data"] = data
        write_json(draft.path / HISTORY_FILE, dataclasses.asdict(History(training.progress.history)))
        draft.result = {name: value for name, value in vars(training.progress).items() if name != "history"}
        save_pth(
            {
                "model": training.model.state_dict(),
                "optimizer": training.optimizer.state_dict(),
                "generator": training.generator.get_state(),
                "device": training.generator.device.type,
            },
            draft.path / _FILE,
        )


def saved_config(run: Run) -> TrainConfig:
    """The config of the stopped training. Raises RunError if there is none."""
    record = run.record(CHECKPOINT)
    if record is None:
        finished = run.record("train") is not None
        raise RunError(
            _("the run {run} has nothing to resume: its training is finished", run=run.name)
            if finished
            else _("the run {run} has nothing to resume", run=run.name),
            hint="" if finished else _("start it: {command}", command=f"python -m convnet_core train --run {run.path}"),
        )
    return TrainConfig.from_json(record.config)


def restore(run: Run, training: Training, data: str) -> None:
    """Load the saved state into a training that was started with `saved_config`.

    Raises RunError if the data set has changed, if the training was stopped on another kind of device, or if the state
    is damaged.
    """
    record = run.record(CHECKPOINT)
    assert record is not None, "saved_config comes first"
    if record.inputs["data"] != data:
        raise RunError(
            _("the data of the run {run} has changed since its training was stopped", run=run.name),
            hint=_("restore the old data, or start a new training (without --resume)"),
        )
    device = training.generator.device
    try:
        state: dict[str, Any] = load_pth(run.path / CHECKPOINT / _FILE, device)
        saved_device = state.get("device", device.type)  # missing in checkpoints of version 0.1.0
        if saved_device == device.type:
            training.model.load_state_dict(state["model"])
            restore_optimizer(training.optimizer, state["optimizer"])
            training.generator.set_state(state["generator"].cpu())
            training.progress = dataclass_from_json(
                TrainingState, {**record.result, "history": read_checkpoint_history(run)}
            )
    except Exception as error:  # torch and zipfile raise many exception types
        raise RunError(
            _("the checkpoint of the run {run} is damaged: {reason}", run=run.name, reason=one_line(error)),
            hint=_("start a new training (without --resume)"),
        ) from error
    if saved_device != device.type:
        raise RunError(
            _(
                "the training of the run {run} was stopped on the device {saved!r} and cannot continue on "
                "{device!r}, which generates other random numbers",
                run=run.name,
                saved=saved_device,
                device=device.type,
            ),
            hint=_(
                "resume it on a machine with {saved!r}, or start a new training (without --resume)", saved=saved_device
            ),
        )
