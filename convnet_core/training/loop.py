"""The training loop: tensors in, a trained network and its history out.

The images stay in memory as uint8 (on the GPU when there is one) and are cut into batches by a
permutation; no Python runs for a single image. What happens in an epoch depends only on the seed
and the epoch's number, so that a training that was stopped goes on exactly where it was.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from convnet_core.common.memory import keep_freed_memory
from convnet_core.config.stages import TrainConfig
from convnet_core.data.split import Split
from convnet_core.errors import ConfigError, DataError, Stopped
from convnet_core.events import Metrics, Monitor
from convnet_core.networks.convnet import eval_mode
from convnet_core.training.optimizer import learning_rate, make_optimizer
from convnet_core.training.steps import make_step, scaled

_EVENT_SECONDS = 0.5  # between two metrics events
_EVALUATION_BATCH = 1000


@dataclass(frozen=True)
class Tensors:
    """Images uint8 [n, 28, 28] and labels int64 [n], on one device."""

    images: Tensor
    labels: Tensor

    @classmethod
    def of(cls, split: Split) -> Tensors:
        """The same as tensors on the CPU."""
        return cls(torch.from_numpy(split.images), torch.from_numpy(split.labels.astype(np.int64)))

    def to(self, device: torch.device) -> Tensors:
        return Tensors(self.images.to(device), self.labels.to(device))

    def __len__(self) -> int:
        return len(self.images)


@dataclass
class TrainingState:
    """Where a training is: the next batch to do, and what was measured so far."""

    epoch: int = 0
    batch: int = 0
    seconds: float = 0.0
    history: list[Metrics] = field(default_factory=list)


@dataclass
class Training:
    """All that moves during a training; what a checkpoint keeps."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    generator: torch.Generator
    progress: TrainingState = field(default_factory=TrainingState)


@dataclass(frozen=True)
class Evaluation:
    """Mean cross-entropy, share of right labels, and logits float32 [n, 10] on the CPU."""

    loss: float
    accuracy: float
    logits: Tensor


def choose_device(config: TrainConfig) -> torch.device:
    """The device to train on; `auto` takes a GPU when there is one. Raises ConfigError where it is not there, or where
    a CUDA graph is asked for on another.
    """
    name = config.device
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next(device for device in ("cuda", "mps", "cpu") if there[device])
    if not there[name]:
        raise ConfigError(f"there is no device {name!r} here", hint="--device auto; `doctor` lists the devices")
    if config.cuda_graph and name != "cuda":
        raise ConfigError(f"a CUDA graph needs a CUDA device, and this training is on {name!r}", hint="--no-cuda-graph")
    return torch.device(name)


def begin(model: nn.Module, config: TrainConfig, device: torch.device) -> Training:
    """A training at its first batch, the model on its device."""
    keep_freed_memory()
    if device.type == "cuda":
        _set_cuda()
    model = model.to(device).to(memory_format=getattr(model, "memory_format", torch.contiguous_format))
    generator = torch.Generator(device).manual_seed(config.seed)
    return Training(model, make_optimizer(model, config, device), generator)


def _set_cuda() -> None:
    """Make a GPU compute float32 in float32, and the same each time. By PyTorch 2.14's defaults a convolution rounds to
    TF32, which has 10 bits of mantissa, and cuDNN may take kernels that add up in another order each time.
    """
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.deterministic = True


def fit(
    training: Training,
    train: Tensors,
    validation: Tensors | None,
    config: TrainConfig,
    monitor: Monitor,
    save: Callable[[Training], None] = lambda _: None,
) -> None:
    """Train until the last epoch, from wherever `training` is.

    `save` is called after each epoch, and before Stopped is raised because the monitor asked for a stop.
    An epoch trains on every image; its last batch is what is left, down to a single image.
    Raises DataError where the loss stops being a number.
    """

    def tell(metrics: Metrics) -> None:
        training.progress.history.append(metrics)
        monitor.emit(metrics)

    device, step = train.images.device, make_step(training, train, config)
    clock = _Clock(training.progress, config, len(train))
    while training.progress.epoch < config.epochs:
        epoch = training.progress.epoch
        order = _order(len(train), config, epoch).to(device)
        batches = torch.split(order, config.batch_size)
        training.model.train()
        for index in range(training.progress.batch, len(batches)):
            if monitor.stop_requested():
                clock.pause()
                save(training)
                raise Stopped(
                    f"stopped in epoch {epoch + 1} of {config.epochs}, at batch {index + 1}; saved",
                    hint="`train --resume --run DIR` goes on from here",
                )
            rate = learning_rate(config, epoch * len(batches) + index, config.epochs * len(batches))
            loss, right = step(batches[index], rate)
            training.progress.batch = index + 1
            clock.count(loss, right, len(batches[index]))
            if clock.due() and index + 1 < len(batches):
                tell(clock.metrics(epoch, index + 1, len(batches), rate))
        metrics = clock.metrics(epoch, len(batches), len(batches), rate)
        if validation is not None:
            held_out = evaluate(training.model, validation)
            metrics = dataclasses.replace(metrics, validation_loss=held_out.loss, validation_accuracy=held_out.accuracy)
        clock.reset()
        tell(metrics)
        training.progress.epoch, training.progress.batch = epoch + 1, 0
        clock.pause()
        save(training)


def _order(count: int, config: TrainConfig, epoch: int) -> Tensor:
    """The order of the images in an epoch; the same on every device."""
    generator = torch.Generator().manual_seed(config.seed * 1_000_003 + epoch)
    return torch.randperm(count, generator=generator)


@torch.no_grad()
def evaluate(model: nn.Module, data: Tensors) -> Evaluation:
    """The network in eval mode on all images, in order; its mode is restored."""
    with eval_mode(model):
        logits = torch.cat([model(scaled(block)).float() for block in torch.split(data.images, _EVALUATION_BATCH)])
    right = (logits.argmax(1) == data.labels).double().mean().item()
    return Evaluation(F.cross_entropy(logits, data.labels).item(), right, logits.cpu())


class _Clock:
    """Adds up loss, right answers and time between two events, without waiting for the device."""

    def __init__(self, progress: TrainingState, config: TrainConfig, images: int) -> None:
        self._progress, self._config, self._images = progress, config, images
        self._paused_at = time.monotonic()
        self._warm = False
        self.reset()

    def reset(self) -> None:
        self._loss: Tensor | float = 0.0
        self._right: Tensor | int = 0
        self._seen = self._timed = 0
        self._last = time.monotonic()

    def count(self, loss: Tensor, right: Tensor, images: int) -> None:
        self._loss, self._right, self._seen = self._loss + loss * images, self._right + right, self._seen + images
        if self._warm:
            self._timed += images
        else:  # the first step sets things up, and says nothing about the speed
            self._warm, self._last = True, time.monotonic()

    def due(self) -> bool:
        return time.monotonic() - self._last >= _EVENT_SECONDS

    def pause(self) -> None:
        """Put the time that has passed into the progress, before it is saved."""
        here = time.monotonic()
        self._progress.seconds += here - self._paused_at
        self._paused_at = here

    def metrics(self, epoch: int, batch: int, batches: int, rate: float) -> Metrics:
        """The means since the last event. Raises DataError where the loss is not a number."""
        seen = max(1, self._seen)
        loss, accuracy = float(self._loss) / seen, float(self._right) / seen
        if self._seen and not math.isfinite(loss):
            raise DataError(
                f"the loss is {loss} in epoch {epoch + 1}: the training has diverged", hint="lower --learning-rate"
            )
        speed = self._timed / max(1e-9, time.monotonic() - self._last)
        left = (self._config.epochs - epoch - batch / batches) * self._images
        metrics = Metrics(
            epoch=epoch + batch / batches,
            step=epoch * batches + batch,
            total_steps=self._config.epochs * batches,
            loss=loss,
            accuracy=accuracy,
            learning_rate=rate,
            images_per_second=speed,
            seconds_left=left / speed if speed else 0.0,
        )
        self.reset()
        return metrics


def split_off_validation(train: Tensors, config: TrainConfig) -> tuple[Tensors, Tensors | None]:
    """Hold out `validation_size` images, chosen by the seed."""
    size = config.validation_size
    if size == 0:
        return train, None
    if size + config.batch_size > len(train):
        raise ConfigError(
            f"validation size {size} and one batch of {config.batch_size} do not fit into {len(train)} training images",
            hint="lower --validation-size or --batch-size",
        )
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(config.seed))
    held, rest = order[:size], order[size:].sort().values
    return Tensors(train.images[rest], train.labels[rest]), Tensors(train.images[held], train.labels[held])


def history_to_json(history: list[Metrics]) -> list[dict[str, object]]:
    """The history as plain JSON."""
    return [dataclasses.asdict(metrics) for metrics in history]
