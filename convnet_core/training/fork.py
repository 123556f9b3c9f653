"""Fork a training: start a new one from the state of another run's, with other settings.

What a fork starts from is kept in its own run: `fork/` has the state to start from and the parent's curve, and its
record says where they come from. The parent can change or go; the fork can be trained again.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Literal

from convnet_core.common.files import digest, write_json
from convnet_core.config.fields import list_changes
from convnet_core.config.stages import TrainConfig
from convnet_core.errors import RunError, one_line
from convnet_core.events import Message, Monitor
from convnet_core.language import _
from convnet_core.networks.weights import load_pth, read_weights, save_pth
from convnet_core.runs.run import Run
from convnet_core.runs.stage_folders import CHECKPOINT, FORK
from convnet_core.runs.stage_record import StageRecord
from convnet_core.runs.stage_results import ForkResult
from convnet_core.training.history import HISTORY_FILE, History, newest_training, read_curve, read_fork
from convnet_core.training.loop import Training, TrainingState
from convnet_core.training.optimizer import restore_moments

STATE = f"{FORK}/state.pth"
_SOURCES = {CHECKPOINT: f"{CHECKPOINT}/state.pth", "train": "train/model.safetensors"}
_BATCHES = ("batch_size", "validation_size", "seed")
"""With the data, these settings decide which images each step takes."""


def take(run: Run, parent: Run, config: TrainConfig, data: str, monitor: Monitor) -> None:
    """Write `fork/`: what a training with `config`, on the data with this fingerprint, starts from.

    Reports what cannot be carried over. Raises RunError if the parent has no training, or if it is damaged.
    """
    record = newest_training(parent)
    if record is None:
        raise RunError(_("the run {run} has no training to start from", run=parent.name), hint=_("train it first"))
    earlier = TrainConfig.from_json(record.config)
    carried, notes = _what_carries_over(record, earlier, config, data)
    source, curve = parent.file(_SOURCES[record.stage]), read_curve(parent)
    position = curve[-1].epoch if curve else 0.0
    origin = read_fork(parent)
    first_epoch = {"position": origin.first_epoch if origin else 0.0, "weights": position, "nothing": 0.0}[carried]
    changes = list_changes(earlier, config)
    with run.write_stage(FORK, record.config) as draft:
        draft.inputs |= {"data": data, "parent": digest(source)}
        draft.result = dataclasses.asdict(ForkResult(parent.name, changes, notes, position, first_epoch, carried))
        write_json(draft.path / HISTORY_FILE, dataclasses.asdict(History(curve)))
        state = {} if carried == "nothing" else _state(source, record)
        if not _share_state(earlier, config):
            state.pop("optimizer", None)
        save_pth(state, draft.path / "state.pth")
    for note in notes:
        monitor.emit(Message(text=note))


def start(run: Run, training: Training, data: str) -> None:
    """Put a new training where the run's `fork/` says; without one it starts from scratch.

    Raises RunError if the data has changed since, or if the state is damaged.
    """
    record = run.record(FORK)
    if record is None:
        return
    if record.inputs["data"] != data:
        raise RunError(
            _("the data of the run {run} has changed since it was forked", run=run.name), hint=_("fork the run again")
        )
    result = record.result_as(ForkResult)
    try:
        state = load_pth(run.file(STATE), training.generator.device)
        if result.carried != "nothing":
            training.model.load_state_dict(state["model"])
        if "optimizer" in state:
            restore_moments(training.optimizer, state["optimizer"])
        if result.carried == "position":
            training.progress = TrainingState(epoch=state["epoch"], batch=state["batch"])
            if state["device"] == training.generator.device.type:
                training.generator.set_state(state["generator"].cpu())
    except Exception as error:  # torch and zipfile raise many exception types
        raise RunError(
            _("the fork in the run {run} is damaged: {reason}", run=run.name, reason=one_line(error)),
            _("fork the run again"),
        ) from error


def _what_carries_over(
    record: StageRecord, earlier: TrainConfig, config: TrainConfig, data: str
) -> tuple[Literal["position", "weights", "nothing"], tuple[str, ...]]:
    """How much of a training another one can take over, and a sentence for each part that it cannot."""
    if config.model != earlier.model:
        return "nothing", (_("Another network cannot take over the weights, so the training starts from scratch."),)
    if record.stage == "train":
        return "weights", (_("A finished training keeps no state of its optimizer: that and the epochs start anew."),)
    notes = []
    if not _share_state(earlier, config):
        notes.append(
            _("{new} cannot take over the state of {old} and starts anew.", new=config.optimizer, old=earlier.optimizer)
        )
    if record.inputs["data"] != data or any(getattr(earlier, name) != getattr(config, name) for name in _BATCHES):
        notes.append(_("The batches are other ones, so the epochs are counted anew."))
    elif record.result["epoch"] >= config.epochs:
        notes.append(
            _("That training is already past epoch {epoch}, so the epochs are counted anew.", epoch=config.epochs)
        )
    else:
        return "position", tuple(notes)
    return "weights", tuple(notes)


def _state(path: Path, record: StageRecord) -> dict[str, Any]:
    """The weights of a finished training; of a stopped one the whole state. Raises RunError if they cannot be read."""
    try:
        if record.stage == "train":
            return {"model": read_weights(path)}
        return {**load_pth(path, "cpu"), "epoch": record.result["epoch"], "batch": record.result["batch"]}
    except Exception as error:  # torch and zipfile raise many exception types
        raise RunError(
            _("{path} cannot be read: {reason}", path=path, reason=one_line(error)), hint=_("train that run again")
        ) from error


def _share_state(earlier: TrainConfig, config: TrainConfig) -> bool:
    """Whether two optimizers gather the same about each weight: adam and adamw do."""
    return (earlier.optimizer == "sgd") == (config.optimizer == "sgd")
