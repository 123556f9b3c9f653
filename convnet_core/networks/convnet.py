"""The networks: input float32 [batch, 1, 28, 28] in [0, 1], output logits [batch, 10]."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import cast

import torch
from torch import Tensor, nn

from convnet_core.common.formatting import first_words, join_clauses, list_words
from convnet_core.config.stages import ModelConfig
from convnet_core.data.split import CLASSES, SIDE
from convnet_core.errors import ConfigError, ModelError
from convnet_core.language import N_, _
from convnet_core.networks.fast_layers import batch_norm, linear

FIRST_WEIGHT = "layer1.0.weight"
"""The weight that identifies the network of a `state_dict`: [channels, 1, kernel, kernel]."""

OTHER_NETWORK = N_(
    "only this project's networks (layer1.0.*, layer1.1.*, fc.*) can be rebuilt from weights; export any "
    "other one to ONNX first (--factory package.module:function, which creates the network and loads the "
    "weights)"
)


def _block(channels_in: int, channels_out: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel, stride=1, padding=kernel // 2),
        batch_norm(channels_out),
        nn.ReLU(inplace=True),
    )


class ConvNet(nn.Module):
    """The original network: one convolution, then a linear layer over all features."""

    memory_format = torch.contiguous_format
    """For training on a CPU: 1.6 times as fast as channels last, where the gradients have another memory order than
    the flattened features (PyTorch 2.14: `threshold_backward` then takes a third of the step)."""

    def __init__(self, channels: int = 16, kernel: int = 3) -> None:
        super().__init__()
        self.layer1 = _block(1, channels, kernel)
        self.fc = linear(SIDE * SIDE * channels, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """[batch, 1, 28, 28] -> [batch, 10]."""
        return cast(Tensor, self.fc(self.layer1(images).flatten(1)))


class DeepConvNet(nn.Module):
    """Three convolution blocks that each halve the image, 28 -> 14 -> 7 -> 3, then a linear layer."""

    memory_format = torch.channels_last
    """For training on a CPU: 1.6 times as fast as contiguous, 1.8 times in bfloat16."""

    def __init__(self, channels: int = 32, kernel: int = 3) -> None:
        super().__init__()
        self.layer1 = nn.Sequential(*_block(1, channels, kernel), nn.MaxPool2d(2))
        self.layer2 = nn.Sequential(*_block(channels, 2 * channels, kernel), nn.MaxPool2d(2))
        self.layer3 = nn.Sequential(*_block(2 * channels, 4 * channels, kernel), nn.MaxPool2d(2))
        self.fc = linear(3 * 3 * 4 * channels, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """[batch, 1, 28, 28] -> [batch, 10]."""
        return cast(Tensor, self.fc(self.layer3(self.layer2(self.layer1(images))).flatten(1)))


_NETWORKS: dict[str, type[ConvNet] | type[DeepConvNet]] = {"convnet": ConvNet, "deep": DeepConvNet}


def build(config: ModelConfig, seed: int | None = None) -> nn.Module:
    """The network of a config; the same seed gives the same initial weights."""
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.manual_seed(seed)
        return _NETWORKS[config.architecture](config.channels, config.kernel)


def from_weights(weights: Mapping[str, Tensor], source: str) -> tuple[ModelConfig, nn.Module]:
    """Rebuild a network from its `state_dict`, in eval mode.

    Raises ModelError, which names the first mismatch.
    """
    config = config_of(weights, source)
    if quantized := next((name for name, value in weights.items() if value.is_quantized), None):
        raise ModelError(
            _(
                "{source} contains a quantized network ({quantized} is {dtype})",
                source=source,
                quantized=quantized,
                dtype=weights[quantized].dtype,
            ),
            hint=_("save the weights before quantization; `convert` writes its own int8 file"),
        )
    expected = empty_state_dict(config)
    missing, unexpected = sorted(set(expected) - set(weights)), sorted(set(weights) - set(expected))
    if missing or unexpected:
        parts = [_("missing {names}", names=list_words(missing[:4]))] if missing else []
        parts += [_("unexpected {names}", names=list_words(unexpected[:4]))] if unexpected else []
        raise ModelError(
            _(
                "{source}: the names do not match a {architecture} network: {parts}",
                source=source,
                architecture=config.architecture,
                parts=join_clauses(parts),
            ),
            hint=_(OTHER_NETWORK),
        )
    for name, value in expected.items():
        weight = weights[name]
        if weight.shape != value.shape:
            raise ModelError(
                _(
                    "{source}: {name} has shape {shape}, expected {expected}",
                    source=source,
                    name=name,
                    shape=list(weight.shape),
                    expected=list(value.shape),
                ),
                hint=_(OTHER_NETWORK),
            )
        if not is_plain(weight) or weight.dtype != value.dtype:
            raise ModelError(
                _(
                    "{source}: {name} is {kind}, expected {expected}",
                    source=source,
                    name=name,
                    kind=describe_tensor(weight),
                    expected=value.dtype,
                ),
                hint=_("save the weights as ordinary floating point: model.float().state_dict()"),
            )
        if bad := int((~torch.isfinite(weight)).sum()):
            raise ModelError(
                _(
                    "{source}: {name} has NaN or infinity in {count:,} of {total:,} values",
                    source=source,
                    name=name,
                    count=bad,
                    total=weight.numel(),
                ),
                hint=_("use a checkpoint from before the training diverged"),
            )
    model = build(config, seed=0)
    model.load_state_dict(weights, strict=True)
    return config, model.eval()


def empty_state_dict(config: ModelConfig) -> dict[str, Tensor]:
    """The `state_dict` of a config's network on the meta device: names, shapes and dtypes without values."""
    with torch.device("meta"):
        return build(config).state_dict()


def is_plain(tensor: Tensor) -> bool:
    """Whether a tensor is an ordinary strided CPU tensor: not sparse, quantized or without values."""
    return tensor.layout == torch.strided and tensor.device.type == "cpu" and not tensor.is_quantized


def describe_tensor(tensor: Tensor) -> str:
    """A description of a tensor for messages: torch.float32, a sparse torch.float32."""
    if tensor.layout != torch.strided:
        return _("a sparse {dtype}", dtype=tensor.dtype)
    return str(tensor.dtype) if tensor.device.type != "meta" else _("{dtype} without values", dtype=tensor.dtype)


def config_of(weights: Mapping[str, Tensor], source: str) -> ModelConfig:
    """The config of the network of a `state_dict`. Raises ModelError if it is not one of this project's networks."""
    first = weights.get(FIRST_WEIGHT)
    if first is None or first.ndim != 4:
        names = first_words([f"{name} {list(value.shape)}" for name, value in weights.items()], 6)
        raise ModelError(
            _(
                "{source} contains another network: {names}; it has no {first_weight} with four dimensions",
                source=source,
                names=names,
                first_weight=FIRST_WEIGHT,
            ),
            hint=_(OTHER_NETWORK),
        )
    try:
        return ModelConfig(
            architecture="deep" if any(name.startswith("layer3.") for name in weights) else "convnet",
            channels=first.shape[0],
            kernel=first.shape[-1],  # type: ignore[arg-type]  # checked by the config
        )
    except ConfigError as error:
        raise ModelError(f"{source}: {error}", hint=_(OTHER_NETWORK)) from error


@contextlib.contextmanager
def eval_mode(model: nn.Module) -> Iterator[None]:
    """Put every submodule in eval mode, and restore each one's mode afterward."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training
