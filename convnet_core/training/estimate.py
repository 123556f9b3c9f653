"""What a training will cost, before it starts: parameters and time. Imports no torch."""

from __future__ import annotations

import contextlib
import math
from pathlib import Path

from convnet_core.config.stages import ModelConfig, TrainConfig
from convnet_core.data.digits import train_count
from convnet_core.data.split import CLASSES, SIDE
from convnet_core.errors import ConvNetError
from convnet_core.runs.library import list_runs

_LATEST_RUNS = 20  # looked at for a measured speed
_IMAGE_SECONDS = 2.3e-5
_STEP_SECONDS = 1.5e-4
_MAC_SECONDS = 9.8e-12
_ACTIVATION_SECONDS = 1.7e-9
"""Cost of an image, of a step of the optimizer, of a multiplication, and of a value between layers: least squares over
trainings of ten networks and batch sizes on two CPU cores, 35 % off at most. They serve a machine on which nothing was
trained yet."""


def parameter_count(model: ModelConfig) -> int:
    """The number of trained values of the network that `model.build` makes."""
    blocks, side, channels = _blocks(model)
    convolutions = sum(out * (into * model.kernel**2 + 1) + 2 * out for into, out, _ in blocks)
    return convolutions + CLASSES * (side * side * channels + 1)


def step_count(config: TrainConfig) -> int:
    """Steps of the optimizer in all epochs; the last batch of an epoch may be smaller than the others."""
    return config.epochs * math.ceil(_images(config) / config.batch_size)


def expected_seconds(config: TrainConfig, runs_root: Path) -> float:
    """Seconds that a training will take, from this machine's own speed where it trained such a network before."""
    measured = _measured_seconds_per_image(config, runs_root)
    return config.epochs * _images(config) * (measured or _seconds_per_image(config))


def _images(config: TrainConfig) -> int:
    """Training images of an epoch."""
    return max(0, train_count(config.data) - config.validation_size)


def _measured_seconds_per_image(config: TrainConfig, runs_root: Path) -> float | None:
    """From the newest run whose speed says something about this one: the same device and precision.

    What that run needed beyond, or less than, the estimate is taken for this machine's share.
    """
    for run in list_runs(runs_root)[:_LATEST_RUNS]:
        with contextlib.suppress(ConvNetError, KeyError):
            record = run.record("train")
            before = TrainConfig.from_json(record.config) if record else None
            if record and before and (before.device, before.precision) == (config.device, config.precision):
                needed = float(record.result["seconds"]) / max(1, before.epochs * _images(before))
                return float(_seconds_per_image(config) * needed / _seconds_per_image(before))
    return None


def _seconds_per_image(config: TrainConfig) -> float:
    blocks, side, channels = _blocks(config.model)
    macs = sum(into * out * config.model.kernel**2 * at * at for into, out, at in blocks)
    macs += CLASSES * side * side * channels
    activations = sum(out * at * at for _, out, at in blocks)
    each = _IMAGE_SECONDS + _MAC_SECONDS * macs + _ACTIVATION_SECONDS * activations
    return each + _STEP_SECONDS / config.batch_size


def _blocks(model: ModelConfig) -> tuple[list[tuple[int, int, int]], int, int]:
    """(channels in, channels out, side of the image) of each convolution; side and channels before the last layer."""
    c = model.channels
    if model.architecture == "convnet":
        return [(1, c, SIDE)], SIDE, c
    return [(1, c, SIDE), (c, 2 * c, SIDE // 2), (2 * c, 4 * c, SIDE // 4)], SIDE // 8, 4 * c
