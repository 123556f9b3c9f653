"""The training loop: takes tensors, returns a trained network and its history.

The images stay in memory as uint8 (on the GPU if there is one), and a permutation splits them
into batches; no Python code runs per image. An epoch depends only on the seed and its number,
so a stopped training resumes exactly where it was.
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
from convnet_core.events import Metrics, Monitor, Preview
from convnet_core.language import _
from convnet_core.networks.convnet import eval_mode
from convnet_core.training.optimizer import make_optimizer
from convnet_core.training.schedule import learning_rate
from convnet_core.training.steps import make_step, scale_pixels

_EVENT_SECONDS = 0.4  # between two metrics events: more than two a second, so that a page moves at each half second
_EVALUATION_BATCH = 1000


@dataclass(frozen=True)
class Tensors:
    """Images uint8 [n, 28, 28] and labels int64 [n], on one device."""

    images: Tensor
    labels: Tensor

    @classmethod
    def of(cls, split: Split) -> Tensors:
        """Convert a split to tensors on the CPU."""
        return cls(torch.from_numpy(split.images), torch.from_numpy(split.labels.astype(np.int64)))

    def to(self, device: torch.device) -> Tensors:
        return Tensors(self.images.to(device), self.labels.to(device))

    def __len__(self) -> int:
        return len(self.images)


@dataclass
class TrainingState:
    """The position in a training: the next epoch and batch, and the measurements so far."""

    epoch: int = 0
    batch: int = 0
    seconds: float = 0.0
    history: list[Metrics] = field(default_factory=list)


@dataclass
class Training:
    """Everything that changes during a training, and that a checkpoint saves."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    generator: torch.Generator
    progress: TrainingState = field(default_factory=TrainingState)


@dataclass(frozen=True)
class Evaluation:
    """Mean cross-entropy, fraction of correct labels, and logits float32 [n, 10] on the CPU."""

    loss: float
    accuracy: float
    logits: Tensor


def choose_device(config: TrainConfig) -> torch.device:
    """The device to train on; `auto` picks a GPU if there is one.

    Raises ConfigError if the device is missing, or does not support a CUDA graph that the config asks for.
    """
    name = config.device
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next(device for device in ("cuda", "mps", "cpu") if available[device])
    if not available[name]:
        raise ConfigError(
            _("this machine has no device {name!r}", name=name), hint=_("use --device auto; `doctor` lists the devices")
        )
    if config.cuda_graph and name != "cuda":
        raise ConfigError(_("a CUDA graph needs a CUDA device, not {name!r}", name=name), hint=_("use --no-cuda-graph"))
    return torch.device(name)


def start_training(model: nn.Module, config: TrainConfig, device: torch.device) -> Training:
    """Set up a training at its first batch, with the model on its device."""
    keep_freed_memory()
    if device.type == "cuda":
        _configure_cuda()
    model = model.to(device).to(memory_format=getattr(model, "memory_format", torch.contiguous_format))
    generator = torch.Generator(device).manual_seed(config.seed)
    return Training(model, make_optimizer(model, config, device), generator)


def _configure_cuda() -> None:
    """Make GPU results reproducible and full float32 precision.

    By default, PyTorch 2.14 rounds the inputs of a convolution to TF32 (10 bits of mantissa), and cuDNN may use kernels
    that add in a different order each time.
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
    preview: Callable[[nn.Module, float], Preview | None] = lambda *_: None,
) -> None:
    """Train from the current position of `training` to the last epoch.

    Emits metrics every `_EVENT_SECONDS` and at the end of each epoch, and a preview with each and at the start. Calls
    `save` after each epoch and before raising Stopped when the monitor requests a stop. An epoch trains on every image;
    its last batch may be smaller, down to a single image. Raises DataError if the loss becomes NaN or infinite.
    """

    def show(epoch: float) -> None:
        if current := preview(training.model, epoch):
            monitor.emit(current)

    def report(metrics: Metrics) -> None:
        training.progress.history.append(metrics)
        monitor.emit(metrics)
        show(metrics.epoch)

    show(training.progress.epoch)
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
                    _(
                        "stopped in epoch {epoch} of {epochs}, at batch {batch}; it is saved",
                        epoch=epoch + 1,
                        epochs=config.epochs,
                        batch=index + 1,
                    )
                )
            rate = learning_rate(config, epoch * len(batches) + index, config.epochs * len(batches))
            loss, correct = step(batches[index], rate)
            training.progress.batch = index + 1
            clock.count(loss, correct, len(batches[index]))
            if clock.due() and index + 1 < len(batches):
                report(clock.metrics(epoch, index + 1, len(batches), rate))
        metrics = clock.metrics(epoch, len(batches), len(batches), rate)
        if validation is not None:
            held_out = evaluate(training.model, validation)
            metrics = dataclasses.replace(metrics, validation_loss=held_out.loss, validation_accuracy=held_out.accuracy)
        report(metrics)
        clock.reset()
        training.progress.epoch, training.progress.batch = epoch + 1, 0
        clock.pause()
        save(training)


def _order(count: int, config: TrainConfig, epoch: int) -> Tensor:
    """The order of the images in an epoch, int64 [count] on the CPU; the same for every device."""
    generator = torch.Generator().manual_seed(config.seed * 1_000_003 + epoch)
    return torch.randperm(count, generator=generator)


@torch.no_grad()
def evaluate(model: nn.Module, data: Tensors) -> Evaluation:
    """Run the network in eval mode on all images in order, and restore its mode."""
    with eval_mode(model):
        logits = torch.cat(
            [model(scale_pixels(block)).float() for block in torch.split(data.images, _EVALUATION_BATCH)]
        )
    accuracy = (logits.argmax(1) == data.labels).double().mean().item()
    return Evaluation(F.cross_entropy(logits, data.labels).item(), accuracy, logits.cpu())


class _Clock:
    """Adds up loss, correct answers and time between two events, without waiting for the device."""

    def __init__(self, progress: TrainingState, config: TrainConfig, images: int) -> None:
        self._progress, self._config, self._images = progress, config, images
        self._paused_at = time.monotonic()
        self._warm = False
        self.reset()

    def reset(self) -> None:
        self._loss: Tensor | float = 0.0
        self._correct: Tensor | int = 0
        self._seen = self._timed = 0
        self._last = time.monotonic()

    def count(self, loss: Tensor, correct: Tensor, images: int) -> None:
        self._loss, self._correct = self._loss + loss * images, self._correct + correct
        self._seen += images
        if self._warm:
            self._timed += images
        else:  # the first step includes setup, so it is not timed
            self._warm, self._last = True, time.monotonic()

    def due(self) -> bool:
        return time.monotonic() - self._last >= _EVENT_SECONDS

    def pause(self) -> None:
        """Add the elapsed time to the progress, before it is saved."""
        now = time.monotonic()
        self._progress.seconds += now - self._paused_at
        self._paused_at = now

    def metrics(self, epoch: int, batch: int, batches: int, rate: float) -> Metrics:
        """The means since the last event. Raises DataError if the loss is NaN or infinite."""
        seen = max(1, self._seen)
        loss, accuracy = float(self._loss) / seen, float(self._correct) / seen
        if self._seen and not math.isfinite(loss):
            raise DataError(
                _("the loss is {loss} in epoch {epoch}: the training has diverged", loss=loss, epoch=epoch + 1),
                hint=_("choose a lower learning rate"),
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
            _(
                "validation size {size} and one batch of {batch} do not fit into {count} training images",
                size=size,
                batch=config.batch_size,
                count=len(train),
            ),
            hint=_("lower --validation-size or --batch-size"),
        )
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(config.seed))
    held_out, rest = order[:size], order[size:].sort().values
    return Tensors(train.images[rest], train.labels[rest]), Tensors(train.images[held_out], train.labels[held_out])
