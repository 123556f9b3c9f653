"""The networks: float32 images [batch, 1, 28, 28] scaled to [0, 1] in, logits [batch, 10] out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import cast

import torch
from torch import Tensor, nn

from convnet_core.config.stages import ModelConfig
from convnet_core.data.split import CLASSES, SIDE
from convnet_core.errors import ConfigError, ModelError
from convnet_core.networks.fast_layers import BatchNorm2d, Linear

FIRST = "layer1.0.weight"
"""The weight that tells which network a `state_dict` belongs to: [channels, 1, kernel, kernel]."""

OTHER_NETWORK = (
    "only the project's own networks are known by their weights (layer1.0.*, layer1.1.*, fc.*); any other comes in by "
    "`export --factory package.module:function`, a function of yours that makes the network and loads these weights"
)
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


def from_weights(weights: Mapping[str, Tensor], source: str) -> tuple[ModelConfig, nn.Module]:
    """The network that a `state_dict` belongs to, with these weights, in eval mode.

    Raises ModelError that names the first thing that does not fit.
    """
    config = config_of(weights, source)
    if quantized := next((name for name, value in weights.items() if value.is_quantized), None):
        raise ModelError(
            f"{source} holds a quantized network ({quantized} is {weights[quantized].dtype})",
            hint="save its weights from before it was quantized; `convert` makes an int8 file of its own",
        )
    expected = skeleton(config)
    missing, unexpected = sorted(set(expected) - set(weights)), sorted(set(weights) - set(expected))
    if missing or unexpected:
        parts = [
            f"{word} {', '.join(names[:4])}"
            for word, names in (("missing", missing), ("unexpected", unexpected))
            if names
        ]
        raise ModelError(
            f"{source}: the names do not fit a {config.architecture} network: {'; '.join(parts)}", hint=OTHER_NETWORK
        )
    for name, value in expected.items():
        given = weights[name]
        if given.shape != value.shape:
            raise ModelError(
                f"{source}: {name} has shape {list(given.shape)}, expected {list(value.shape)}", hint=OTHER_NETWORK
            )
        if not is_plain(given) or given.dtype != value.dtype:
            raise ModelError(
                f"{source}: {name} is {kind_of(given)}, expected {value.dtype}",
                hint="save the weights of the network as plain floating point: model.float().state_dict()",
            )
        if bad := int((~torch.isfinite(given)).sum()):
            raise ModelError(
                f"{source}: {name} holds NaN or infinity in {bad:,} of {given.numel():,} values",
                hint="take a checkpoint from before the training diverged",
            )
    model = build(config, seed=0)
    model.load_state_dict(weights, strict=True)
    return config, model.eval()


def skeleton(config: ModelConfig) -> dict[str, Tensor]:
    """The `state_dict` of a config's network without values: names, shapes and dtypes."""
    with torch.device("meta"):
        return build(config).state_dict()


def is_plain(tensor: Tensor) -> bool:
    """Whether a tensor has values, and holds them one after another in memory."""
    return tensor.layout == torch.strided and tensor.device.type == "cpu" and not tensor.is_quantized


def kind_of(tensor: Tensor) -> str:
    """What a tensor is, for people: torch.float32, a sparse torch.float32."""
    if tensor.layout != torch.strided:
        return f"a sparse {tensor.dtype}"
    return str(tensor.dtype) if tensor.device.type != "meta" else f"{tensor.dtype} without values"


def config_of(weights: Mapping[str, Tensor], source: str) -> ModelConfig:
    """The config of the network that a `state_dict` belongs to. Raises ModelError where it is no such network."""
    first = weights.get(FIRST)
    if first is None or first.ndim != 4:
        names = ", ".join(f"{name} {list(value.shape)}" for name, value in list(weights.items())[:6])
        rest = f" and {len(weights) - 6} more" if len(weights) > 6 else ""
        raise ModelError(
            f"{source} holds another network: {names}{rest}; there is no {FIRST} of four dimensions",
            hint=OTHER_NETWORK,
        )
    try:
        return ModelConfig(
            architecture="deep" if any(name.startswith("layer3.") for name in weights) else "convnet",
            channels=first.shape[0],
            kernel=first.shape[-1],  # type: ignore[arg-type]  # checked by the config
        )
    except ConfigError as error:
        raise ModelError(f"{source}: {error}", hint=OTHER_NETWORK) from error


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
