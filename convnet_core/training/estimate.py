"""Estimate the parameters and the time of a training before it starts. Does not import torch.

The time is a formula's, times how much longer than that this machine takes: measured in a second of real steps before
the first training, and again by each training, for each device, precision and architecture (`speed.py`).
"""

from __future__ import annotations

import math

from convnet_core.common.formatting import format_duration
from convnet_core.config.stages import PRESETS, ModelConfig, TrainConfig
from convnet_core.data.digits import train_count
from convnet_core.data.split import CLASSES, SIDE
from convnet_core.language import _, plural
from convnet_core.training import speed

_IMAGE_SECONDS = 1.9e-6
_STEP_SECONDS = 3.9e-4
_MAC_SECONDS = 3.1e-11
_ACTIVATION_SECONDS = 3.7e-9
_AUGMENT_SECONDS = 2.4e-5
"""Seconds per image, optimizer step, multiplication, activation and distorted image: a least-squares fit to the steps
of 20 networks and batch sizes in float32 on one core, November 2026. Scaled to one of them, the others of the same
architecture are off by up to 50 %, mostly by less than 25 %."""
_EVALUATION = 1 / 3
"""The time of evaluating an image, as a fraction of training on it: one of three passes."""


_MNIST_ACCURACY = {"reference": 0.937, "fast": 0.944, "accurate": 0.986, "sample": 0.980}
"""Share of MNIST's test set that networks of each preset read, trained on strokes alone: `python -m
benchmarks.accuracy --only strokes`, docs/PERFORMANCE.md."""


def mnist_accuracy(config: TrainConfig) -> float | None:
    """The share of MNIST's test set that a network trained like this reads; None if that was not measured.

    It was for the presets on strokes.
    """
    plain = config.replace(seed=0, device="auto")
    return next((share for name, share in _MNIST_ACCURACY.items() if plain == PRESETS[name]), None)


def parameter_count(model: ModelConfig) -> int:
    """The number of trainable values of the network that `networks.convnet.build` creates."""
    blocks, side, channels = _blocks(model)
    convolutions = sum(c_out * (c_in * model.kernel**2 + 1) + 2 * c_out for c_in, c_out, _width in blocks)
    return convolutions + CLASSES * (side * side * channels + 1)


def step_count(config: TrainConfig) -> int:
    """Optimizer steps in all epochs; the last batch of an epoch may be smaller than the others."""
    return config.epochs * math.ceil(training_images(config) / config.batch_size)


def expected_seconds(config: TrainConfig) -> float | None:
    """The expected seconds of a training; None until this machine's speed has been measured."""
    factor = speed.known_factor(config)
    return None if factor is None else factor * formula_seconds(config)


def describe_cost(config: TrainConfig) -> str:
    """What a training costs, in one line; without a time until this machine's speed has been measured."""
    weights = plural("{count} weight", "{count} weights", parameter_count(config.model))
    steps = plural("{count} step", "{count} steps", step_count(config))
    seconds = expected_seconds(config)
    if seconds is None:
        return _("{weights}, {steps}", weights=weights, steps=steps)
    return _("{weights}, {steps}, about {duration}", weights=weights, steps=steps, duration=format_duration(seconds))


def formula_seconds(config: TrainConfig) -> float:
    """The seconds of a training on the machine that the formula comes from."""
    images = training_images(config) + _EVALUATION * config.validation_size
    return config.epochs * images * formula_image_seconds(config)


def formula_image_seconds(config: TrainConfig) -> float:
    """The same for one image."""
    blocks, side, channels = _blocks(config.model)
    macs = sum(c_in * c_out * config.model.kernel**2 * width * width for c_in, c_out, width in blocks)
    macs += CLASSES * side * side * channels
    activations = sum(c_out * width * width for _c_in, c_out, width in blocks)
    compute = _IMAGE_SECONDS + _MAC_SECONDS * macs + _ACTIVATION_SECONDS * activations
    return compute + _STEP_SECONDS / config.batch_size + (_AUGMENT_SECONDS if config.augment else 0.0)


def training_images(config: TrainConfig) -> int:
    """The number of images that a network learns from, without those held out for validation."""
    return max(0, train_count(config.data) - config.validation_size)


def _blocks(model: ModelConfig) -> tuple[list[tuple[int, int, int]], int, int]:
    """(input channels, output channels, image width) per convolution; width and channels before the last layer."""
    c = model.channels
    if model.architecture == "convnet":
        return [(1, c, SIDE)], SIDE, c
    return [(1, c, SIDE), (c, 2 * c, SIDE // 2), (2 * c, 4 * c, SIDE // 4)], SIDE // 8, 4 * c
