"""The networks: float32 images [batch, 1, 28, 28] scaled to [0, 1] in, logits [batch, 10] out."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, _weights_only_unpickler, nn

from convnet_core import archives
from convnet_core.config import ModelConfig
from convnet_core.data import CLASSES, SIDE
from convnet_core.errors import ConfigError, ModelError, one_line
from convnet_core.quick_layers import BatchNorm2d, Linear

_ZIP = b"PK\x03\x04"  # what PyTorch knows its own archives by; it reads all others as one pickle after another
INPUT, OUTPUT = "input", "logits"
"""The names of the network's input and output, from ONNX to LiteRT."""


def _block(channels_in: int, channels_out: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel, stride=1, padding=kernel // 2),
        BatchNorm2d(channels_out),
        nn.ReLU(inplace=True),
    )


class ConvNet(nn.Module):
    """The original network: one convolution, then a linear layer over all its features."""

    memory_format = torch.contiguous_format
    """To train in on a CPU: 1.6 times as fast as channels last, whose gradients meet those of the flattened features
    in two orders (PyTorch 2.14: `threshold_backward` then takes a third of the step)."""

    def __init__(self, channels: int = 16, kernel: int = 3) -> None:
        super().__init__()
        self.layer1 = _block(1, channels, kernel)
        self.fc = Linear(SIDE * SIDE * channels, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """[batch, 1, 28, 28] -> [batch, 10]."""
        return cast(Tensor, self.fc(self.layer1(images).flatten(1)))


class DeepConvNet(nn.Module):
    """Three convolution blocks, each halving the image: 28 -> 14 -> 7 -> 3, and a linear layer."""

    memory_format = torch.channels_last
    """1.6 times as fast as contiguous, 1.8 times in bfloat16."""

    def __init__(self, channels: int = 32, kernel: int = 3) -> None:
        super().__init__()
        self.layer1 = nn.Sequential(*_block(1, channels, kernel), nn.MaxPool2d(2))
        self.layer2 = nn.Sequential(*_block(channels, 2 * channels, kernel), nn.MaxPool2d(2))
        self.layer3 = nn.Sequential(*_block(2 * channels, 4 * channels, kernel), nn.MaxPool2d(2))
        self.fc = Linear(3 * 3 * 4 * channels, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """[batch, 1, 28, 28] -> [batch, 10]."""
        return cast(Tensor, self.fc(self.layer3(self.layer2(self.layer1(images))).flatten(1)))


_NETWORKS: dict[str, type[ConvNet] | type[DeepConvNet]] = {"convnet": ConvNet, "deep": DeepConvNet}


def build(config: ModelConfig, seed: int | None = None) -> nn.Module:
    """The network of a config; with a seed its initial weights are the same each time."""
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.manual_seed(seed)
        return _NETWORKS[config.architecture](config.channels, config.kernel)


def read_weights(path: Path) -> dict[str, Tensor]:
    """A `state_dict` from a .safetensors or a PyTorch file; no code of the file is run.

    Raises ModelError where it cannot be read or is something else.
    """
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            value: Any = load_file(path)
        else:
            value = load_pth(path, "cpu")
    except FileNotFoundError as error:
        raise ModelError(f"{path}: no such file") from error
    except Exception as error:  # safetensors, zipfile and torch each raise kinds of their own
        if type(error).__name__ == "UnpicklingError":  # what weights_only=True answers to anything but tensors
            raise ModelError(
                f"{path} holds more than tensors, and is not loaded because it could run code",
                hint="save only the weights: torch.save(model.state_dict(), path)",
            ) from error
        raise ModelError(f"{path} cannot be read as weights: {one_line(error)}") from error
    plain = isinstance(value, dict) and all(
        isinstance(name, str)
        and isinstance(item, Tensor)
        and item.layout == torch.strided
        and item.device.type == "cpu"
        for name, item in value.items()
    )
    if not plain or not value:
        raise ModelError(
            f"{path} does not hold a plain state_dict", hint="save it with torch.save(model.state_dict(), path)"
        )
    return dict(value)


def load_pth(path: Path, device: torch.device | str) -> Any:
    """`torch.load` of tensors in plain containers alone. Raises errors of many kinds.

    PyTorch also lets a file make a bytearray of any size: 30 bytes would take all memory. No weights need one.
    Nor are weights compressed: an archive that becomes more than it is would take memory in the same way. It is held
    in memory once more while it is read.
    """
    _weights_only_unpickler._get_allowed_globals().pop("builtins.bytearray", None)
    with path.open("rb") as file:
        zipped = file.read(len(_ZIP)) == _ZIP
    return torch.load(archives.stored(path) if zipped else path, map_location=device, weights_only=True)


def save_pth(value: Any, path: Path) -> None:
    """`torch.save`, which in PyTorch 2.14 takes a full disk for an inconsistency of its own when it writes itself.

    Raises OSError.
    """
    content = io.BytesIO()
    torch.save(value, content)
    path.write_bytes(content.getbuffer())


def from_weights(weights: dict[str, Tensor], source: str) -> tuple[ModelConfig, nn.Module]:
    """The network that a `state_dict` belongs to, with these weights, in eval mode.

    Raises ModelError that names the first thing that does not fit.
    """
    config = _config_of(weights, source)
    with torch.device("meta"):
        expected = build(config).state_dict()
    missing, unexpected = sorted(set(expected) - set(weights)), sorted(set(weights) - set(expected))
    if missing or unexpected:
        parts = [
            f"{word} {', '.join(names[:4])}"
            for word, names in (("missing", missing), ("unexpected", unexpected))
            if names
        ]
        raise ModelError(f"{source}: the names do not fit a {config.architecture} network: {'; '.join(parts)}")
    for name, value in expected.items():
        given = weights[name]
        if given.shape != value.shape:
            raise ModelError(f"{source}: {name} has shape {list(given.shape)}, expected {list(value.shape)}")
        if given.dtype != value.dtype:
            raise ModelError(f"{source}: {name} is {given.dtype}, expected {value.dtype}")
        if not torch.isfinite(given).all():
            raise ModelError(f"{source}: {name} holds NaN or infinity")
    model = build(config, seed=0)
    model.load_state_dict(weights, strict=True)
    return config, model.eval()


def _config_of(weights: dict[str, Tensor], source: str) -> ModelConfig:
    first = weights.get("layer1.0.weight")
    if first is None or first.ndim != 4:
        raise ModelError(
            f"{source}: no 4-dimensional layer1.0.weight in it, so it is no ConvNet or DeepConvNet",
            hint="the names are layer1.0.*, layer1.1.*, fc.*",
        )
    try:
        return ModelConfig(
            architecture="deep" if any(name.startswith("layer3.") for name in weights) else "convnet",
            channels=first.shape[0],
            kernel=first.shape[-1],  # type: ignore[arg-type]  # checked by the config
        )
    except ConfigError as error:
        raise ModelError(f"{source}: {error}") from error


@contextlib.contextmanager
def eval_mode(model: nn.Module) -> Iterator[None]:
    """Eval mode for every submodule, and each one's own mode again afterwards."""
    before = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in before.items():
            module.training = training
