"""The data and the inputs that a stage of a run used. Does not import torch."""

from __future__ import annotations

from convnet_core.config.stages import DataConfig, TrainConfig
from convnet_core.errors import RunError
from convnet_core.runs.run import Run
from convnet_core.tensors.model_inputs import InputSpec


def data_of(run: Run, stage: str = "train") -> DataConfig:
    """The data that a stage last used, else the training's data, else the default.

    Raises RunError if the record of the training is damaged.
    """
    try:
        record = run.record(stage)
    except RunError:
        if stage == "train":
            raise
        record = None
    if record is not None and stage == "train":
        return TrainConfig.from_json(record.config).data
    if record is not None and "data" in record.result:
        return DataConfig.from_json(record.result["data"])
    return DataConfig() if stage == "train" else data_of(run)


def inputs_of(run: Run, *stages: str) -> InputSpec:
    """The user's choices for the inputs of an imported model, from the first of these stages that has them."""
    for stage in stages:
        try:
            record = run.record(stage)
        except RunError:
            continue
        if record is not None and "inputs" in record.result:
            return InputSpec.from_json(record.result["inputs"])
    return InputSpec()
