"""One training step: takes a batch, updates the weights, and leaves the loss and correct answers on the device.

A step never waits for the device: it copies no tensors between host and device.
"""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from convnet_core.config.stages import TrainConfig
from convnet_core.data.augment import augment
from convnet_core.training.cuda_graph import CudaGraph, GraphedStep, Result, Step
from convnet_core.training.optimizer import set_learning_rate

if TYPE_CHECKING:
    from convnet_core.training.loop import Tensors, Training


def make_step(training: Training, train: Tensors, config: TrainConfig) -> Step:
    """The function that runs a step: kernel by kernel, or with `cuda_graph` as one graph of all kernels."""
    take = partial(take_step, training, train, config)
    set_rate = partial(set_learning_rate, training.optimizer)
    if config.cuda_graph:
        size = min(config.batch_size, len(train))
        return GraphedStep(take, set_rate, CudaGraph(training.generator), size, train.images.device)

    def step(batch: Tensor, rate: float) -> Result:
        set_rate(rate)
        return take(batch)

    return step


def take_step(training: Training, train: Tensors, config: TrainConfig, batch: Tensor) -> Result:
    """One step on the images with indices `batch`, int64 [n]. Returns the loss and the number of correct answers."""
    labels = train.labels.index_select(0, batch)
    images = scale_pixels(train.images.index_select(0, batch))  # copies whole images; `images[batch]` is slower
    if config.augment:
        images = augment(images, config.augment, training.generator)
    with _precision(config, images.device):
        logits = training.model(images)
        loss = F.cross_entropy(logits, labels, label_smoothing=config.label_smoothing)
    training.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    training.optimizer.step()
    return loss.detach(), (logits.detach().argmax(1) == labels).sum()


def scale_pixels(images: Tensor) -> Tensor:
    """Convert uint8 [n, 28, 28] to the networks' input: float32 [n, 1, 28, 28] in [0, 1]."""
    return images.unsqueeze(1) / 255


def _precision(config: TrainConfig, device: torch.device) -> contextlib.AbstractContextManager[object]:
    if config.precision == "bfloat16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return contextlib.nullcontext()
