"""Measure how fast this machine trains, by a second of real steps on random images."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from convnet_core.config.stages import TrainConfig
from convnet_core.data.split import CLASSES, SIDE
from convnet_core.networks.convnet import build
from convnet_core.training import loop
from convnet_core.training.estimate import formula_image_seconds
from convnet_core.training.loop import Tensors
from convnet_core.training.steps import make_step

_SECONDS = 1.0
_WARMUP_STEPS = 5
"""The first steps choose kernels, allocate memory and capture a CUDA graph."""
_BATCHES = 4


def measure_factor(config: TrainConfig, clock: Callable[[], float] = time.monotonic) -> float:
    """How many times as long as the formula a training step takes here. Raises ConfigError if a device is missing."""
    return seconds_per_image(config, clock) / formula_image_seconds(config)


def seconds_per_image(config: TrainConfig, clock: Callable[[], float] = time.monotonic) -> float:
    """The mean over about a second of steps with this config."""
    device = loop.choose_device(config)
    training = loop.start_training(build(config.model, config.seed), config, device)
    generator, count = torch.Generator().manual_seed(0), _BATCHES * config.batch_size
    images = torch.randint(0, 256, (count, SIDE, SIDE), dtype=torch.uint8, generator=generator)
    train = Tensors(images, torch.randint(0, CLASSES, (count,), generator=generator)).to(device)
    step, batch = make_step(training, train, config), torch.arange(config.batch_size, device=device)
    training.model.train()
    for _ in range(_WARMUP_STEPS):
        loss, _ = step(batch, config.learning_rate)
    float(loss)  # waits for a GPU
    steps, start = 0, clock()
    while True:
        loss, _ = step(batch, config.learning_rate)
        steps += 1
        if clock() - start >= _SECONDS:
            float(loss)
            return (clock() - start) / (steps * config.batch_size)
