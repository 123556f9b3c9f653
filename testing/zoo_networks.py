"""torchvision's networks with parameters that expose conversion errors, and matching inputs.

Freshly initialized networks prove little: a zero head outputs zeros, a layer scale of 1e-6 hides everything before it,
and a deep network with uncalibrated batch norm overflows. So every parameter is drawn at random, every convolution and
linear layer is scaled until its output has a standard deviation of 1 (LSUV: Mishkin and Matas, "All you need is a good
init", 2015), and batch norm gets the statistics of the same images.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torchvision import models
from torchvision.models import detection, optical_flow, segmentation, video

MOST_PARAMETERS = 100e6
NEAR_ONE = (0.5, 2.0)
"""The range for the standard deviation of a fitted network's output."""


@dataclass(frozen=True)
class Recipe:
    """How to build a network.

    `name` is torchvision's; `shapes` are those of the inputs without the batch; `batch` is used for fitting and export;
    `head` is the layer that sets the scale of the output, if that is not the last one.
    """

    name: str
    kind: str
    shapes: tuple[tuple[int, ...], ...]
    batch: int = 8
    head: str = ""

    def build(self, seed: int = 0) -> nn.Module:
        """The fitted network, in eval mode. Raises AssertionError if its output's standard deviation is not near 1."""
        torch.manual_seed(seed)
        more = {"init_weights": False} if self.name in ("googlenet", "inception_v3") else {}
        model: nn.Module = models.get_model(self.name, weights=None, **_PLAIN.get(self.kind, {}), **more)
        generator = torch.Generator().manual_seed(seed)
        randomize(model, generator)
        inputs = self.inputs(self.batch, seed)
        fit(model, inputs)
        for _ in range(5):
            if not self.head or NEAR_ONE[0] <= output_std(model, inputs) <= NEAR_ONE[1]:
                break
            _shrink(model.get_submodule(self.head), output_std(model, inputs))
        if self.kind != "detection":
            assert NEAR_ONE[0] <= output_std(model, inputs) <= NEAR_ONE[1], (self.name, output_std(model, inputs))
        return model

    def inputs(self, batch: int, seed: int) -> tuple[Tensor, ...]:
        """Inputs [batch, ...] from the standard normal distribution."""
        generator = torch.Generator().manual_seed(seed)
        return tuple(torch.randn(batch, *shape, generator=generator) for shape in self.shapes)


_SCALE = (0.1, 0.4)
_BIAS = 0.5
"""Typical of a trained batch norm. With scales around 1 and small biases a deep network is chaotic: each block
amplifies differences, and efficientnet_b6 in float32 differs from itself in float64 by 1 % (4e-7 with these values)."""

_LEAST_VARIANCE = 0.1
"""The least variance of a channel, as a fraction of the overall variance. Without it, images that activate a channel
that was inactive during calibration raise the noise of shufflenet_v2_x0_5 to 2e-5. And averages over a whole image
hardly vary between noise images, so batch norm after global pooling raised the noise of deeplabv3_resnet50 to 3e-6."""

_PLAIN: dict[str, dict[str, Any]] = {
    "segmentation": {"weights_backbone": None},
    "detection": {"weights_backbone": None},
}
_SIZES = {"inception_v3": 299}
_FRAMES = {"s3d": (3, 14, 224, 224), "mvit_v1_b": (3, 16, 224, 224), "mvit_v2_s": (3, 16, 224, 224)}


def recipes() -> list[Recipe]:
    """Every network of the zoo."""
    result = []
    for name in models.list_models(module=models):
        parameters = next(iter(models.get_model_weights(name))).meta["num_params"]
        if parameters <= MOST_PARAMETERS:
            size = _SIZES.get(name, 224)
            result.append(Recipe(name, "classification", ((3, size, size),)))
    result += [Recipe(name, "segmentation", ((3, 224, 224),), 4) for name in models.list_models(module=segmentation)]
    result += [
        Recipe(name, "video", (_FRAMES.get(name, (3, 8, 112, 112)),), 2) for name in models.list_models(module=video)
    ]
    head = "update_block.flow_head.conv2"
    result += [
        Recipe(name, "optical flow", ((3, 128, 128),) * 2, 1, head) for name in models.list_models(module=optical_flow)
    ]
    result += [Recipe(name, "detection", ((3, 320, 320),), 2) for name in models.list_models(module=detection)]
    return result


def randomize(model: nn.Module, generator: torch.Generator) -> None:
    """Draw every parameter: scales well above 0, biases around 0, weights scaled by fan-in."""
    for name, parameter in model.named_parameters():
        values = torch.randn(parameter.shape, generator=generator)
        if name.endswith("bias"):
            values *= _BIAS
        elif parameter.numel() == parameter.shape[0]:  # a norm's scale, or a layer scale
            values = _SCALE[0] + (_SCALE[1] - _SCALE[0]) * torch.rand(parameter.shape, generator=generator)
        elif parameter.shape[0] > 1:  # otherwise a token or a position embedding
            values /= math.sqrt(parameter[0].numel())
        parameter.data.copy_(values)


@torch.no_grad()
def fit(model: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    """Scale the layers and calibrate batch norm in one forward pass; leaves the model in eval mode."""
    model.eval()
    fitted: set[nn.Module] = set()
    handles = []

    def scale(layer: nn.Module, _: Any, output: Tensor) -> Tensor:
        if layer in fitted:  # a recurrent layer, fitted in its first step
            return output
        fitted.add(layer)
        std = float(output.std())
        _shrink(layer, std)
        return output / std

    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            handles.append(module.register_forward_pre_hook(_calibrate))
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d | nn.Linear):
            handles.append(module.register_forward_hook(scale))
    model(*inputs)
    for handle in handles:
        handle.remove()


def _calibrate(norm: nn.modules.batchnorm._BatchNorm, inputs: tuple[Tensor]) -> None:
    """Give batch norm the statistics of these inputs, without amplifying nearly constant channels."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    variance, mean = torch.var_mean(inputs[0], [0, *range(2, inputs[0].ndim)])
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance.clamp(min=_LEAST_VARIANCE * float(inputs[0].var())))


@torch.no_grad()
def output_std(model: nn.Module, inputs: tuple[Tensor, ...]) -> float:
    """The standard deviation over all values of the last output."""
    return float(list(_tensors(model(*inputs)))[-1].std())


@torch.no_grad()
def noise(model: nn.Module, inputs: tuple[Tensor, ...]) -> float | None:
    """The rounding error of float32: the largest difference from the network in float64, as a fraction of the range.

    None for a network whose code hard-codes float32.
    """
    single = list(_tensors(model(*inputs)))[-1].double()
    try:
        double = list(_tensors(model.double()(*(tensor.double() for tensor in inputs))))[-1]
    except RuntimeError:
        return None
    finally:
        model.float()
    return float((single - double).abs().max() / (double.max() - double.min()))


def _shrink(layer: nn.Module, divisor: float) -> None:
    for parameter in layer.parameters(recurse=False):
        parameter.data /= divisor


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    else:
        for item in value.values() if isinstance(value, dict) else value:
            yield from _tensors(item)
