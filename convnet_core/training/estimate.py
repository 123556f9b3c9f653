"""Estimate the parameters and the time of a training before it starts. Does not import torch."""

from __future__ import annotations

import contextlib
import math
from pathlib import Path

from convnet_core.config.stages import ModelConfig, TrainConfig
from convnet_core.data.digits import train_count
from convnet_core.data.split import CLASSES, SIDE
from convnet_core.errors import ConvNetError
from convnet_core.runs.library import list_runs
from convnet_core.runs.stage_results import TrainingResult

_LATEST_RUNS = 20  # to search for a measured speed
_IMAGE_SECONDS = 2.3e-5
_STEP_SECONDS = 1.5e-4
_MAC_SECONDS = 9.8e-12
_ACTIVATION_SECONDS = 1.7e-9
"""Seconds per image, optimizer step, multiplication and activation: a least-squares fit to trainings of ten networks
and batch sizes on two CPU cores, with errors up to 35 %. Used on machines without any earlier training."""


def parameter_count(model: ModelConfig) -> int:
    """The number of trainable values of the network that `networks.convnet.build` creates."""
    blocks, side, channels = _blocks(model)
    convolutions = sum(c_out * (c_in * model.kernel**2 + 1) + 2 * c_out for c_in, c_out, _ in blocks)
    return convolutions + CLASSES * (side * side * channels + 1)


def step_count(config: TrainConfig) -> int:
    """Optimizer steps in all epochs; the last batch of an epoch may be smaller than the others."""
    return config.epochs * math.ceil(_images(config) / config.batch_size)


def expected_seconds(config: TrainConfig, runs_root: Path) -> float:
    """The expected seconds of a training, scaled to this machine's speed if an earlier run measured it."""
    measured = _measured_seconds_per_image(config, runs_root)
    return config.epochs * _images(config) * (measured or _seconds_per_image(config))


def _images(config: TrainConfig) -> int:
    """Training images per epoch."""
    return max(0, train_count(config.data) - config.validation_size)


def _measured_seconds_per_image(config: TrainConfig, runs_root: Path) -> float | None:
    """The estimate, scaled by how far the newest run of the same device and precision was from its own estimate."""
    for run in list_runs(runs_root)[:_LATEST_RUNS]:
        with contextlib.suppress(ConvNetError):
            record = run.record("train")
            earlier = TrainConfig.from_json(record.config) if record else None
            if record and earlier and (earlier.device, earlier.precision) == (config.device, config.precision):
                measured = record.result_as(TrainingResult).seconds / max(1, earlier.epochs * _images(earlier))
                return float(_seconds_per_image(config) * measured / _seconds_per_image(earlier))
    return None


def _seconds_per_image(config: TrainConfig) -> float:
    blocks, side, channels = _blocks(config.model)
    macs = sum(c_in * c_out * config.model.kernel**2 * width * width for c_in, c_out, width in blocks)
    macs += CLASSES * side * side * channels
    activations = sum(c_out * width * width for _, c_out, width in blocks)
    compute = _IMAGE_SECONDS + _MAC_SECONDS * macs + _ACTIVATION_SECONDS * activations
    return compute + _STEP_SECONDS / config.batch_size


def _blocks(model: ModelConfig) -> tuple[list[tuple[int, int, int]], int, int]:
    """(input channels, output channels, image width) per convolution; width and channels before the last layer."""
    c = model.channels
    if model.architecture == "convnet":
        return [(1, c, SIDE)], SIDE, c
    return [(1, c, SIDE), (c, 2 * c, SIDE // 2), (2 * c, 4 * c, SIDE // 4)], SIDE // 8, 4 * c
