"""torchvision's networks with parameters that hide nothing, and inputs that fit them.

Fresh networks prove little: a zero head answers zeros, a layer scale of 1e-6 hides what stands before it, and a deep
one without fitted batch norm overflows. So every parameter is drawn, every convolution and linear layer is scaled
until its output has a standard deviation of 1 (LSUV: Mishkin and Matas, "All you need is a good init", 2015), and
batch norm gets the statistics of the same images.
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
"""The standard deviation of a fitted network's output, at least and at most."""


@dataclass(frozen=True)
class Recipe:
    """A network's name in torchvision, its kind, the shapes of its inputs without their batch, how many inputs it is
    fitted and exported with, and the layer that sets the size of its output where that is not the last.
    """

    name: str
    kind: str
    shapes: tuple[tuple[int, ...], ...]
    batch: int = 8
    head: str = ""

    def build(self, seed: int = 0) -> nn.Module:
        """The fitted network, in eval mode. Raises AssertionError where its output is not near 1."""
        torch.manual_seed(seed)
        more = {"init_weights": False} if self.name in ("googlenet", "inception_v3") else {}
        model: nn.Module = models.get_model(self.name, weights=None, **_PLAIN.get(self.kind, {}), **more)
        generator = torch.Generator().manual_seed(seed)
        randomise(model, generator)
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
"""Scales as a trained batch norm has them. With scales around 1 and small biases a deep network is chaotic: each block
multiplies a difference, and efficientnet_b6 in float32 is 1 % away from itself in float64 (4e-7 with these)."""

_LEAST_VARIANCE = 0.1
"""Of a channel, as a part of the variance over all. Without it, images that wake a channel which slept while batch norm
was calibrated bring the noise of shufflenet_v2_x0_5 to 2e-5; and what is averaged over a whole image hardly differs
between images of noise, so that batch norm behind it made the noise of deeplabv3_resnet50 3e-6."""

_PLAIN: dict[str, dict[str, Any]] = {
    "segmentation": {"weights_backbone": None},
    "detection": {"weights_backbone": None},
}
_SIZES = {"inception_v3": 299}
_FRAMES = {"s3d": (3, 14, 224, 224), "mvit_v1_b": (3, 16, 224, 224), "mvit_v2_s": (3, 16, 224, 224)}


def recipes() -> list[Recipe]:
    """Every network of the zoo."""
    found = []
    for name in models.list_models(module=models):
        parameters = next(iter(models.get_model_weights(name))).meta["num_params"]
        if parameters <= MOST_PARAMETERS:
            size = _SIZES.get(name, 224)
            found.append(Recipe(name, "classification", ((3, size, size),)))
    found += [Recipe(name, "segmentation", ((3, 224, 224),), 4) for name in models.list_models(module=segmentation)]
    found += [
        Recipe(name, "video", (_FRAMES.get(name, (3, 8, 112, 112)),), 2) for name in models.list_models(module=video)
    ]
    head = "update_block.flow_head.conv2"
    found += [
        Recipe(name, "optical flow", ((3, 128, 128),) * 2, 1, head) for name in models.list_models(module=optical_flow)
    ]
    found += [Recipe(name, "detection", ((3, 320, 320),), 2) for name in models.list_models(module=detection)]
    return found


def randomise(model: nn.Module, generator: torch.Generator) -> None:
    """Draw every parameter: scales well above 0, biases around 0, weights by their fan-in."""
    for name, parameter in model.named_parameters():
        drawn = torch.randn(parameter.shape, generator=generator)
        if name.endswith("bias"):
            drawn *= _BIAS
        elif parameter.numel() == parameter.shape[0]:  # of a norm, or a layer's scale
            drawn = _SCALE[0] + (_SCALE[1] - _SCALE[0]) * torch.rand(parameter.shape, generator=generator)
        elif parameter.shape[0] > 1:  # else a token, or an embedding of positions
            drawn /= math.sqrt(parameter[0].numel())
        parameter.data.copy_(drawn)


@torch.no_grad()
def fit(model: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    """Scale the layers and fit batch norm, in one forward pass; leaves the model in eval mode."""
    model.eval()
    fitted: set[nn.Module] = set()
    handles = []

    def scale(layer: nn.Module, _: Any, output: Tensor) -> Tensor:
        if layer in fitted:  # a recurrent part: it was fitted in the first step
            return output
        fitted.add(layer)
        size = float(output.std())
        _shrink(layer, size)
        return output / size

    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            handles.append(module.register_forward_pre_hook(_calibrate))
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d | nn.Linear):
            handles.append(module.register_forward_hook(scale))
    model(*inputs)
    for handle in handles:
        handle.remove()


def _calibrate(norm: nn.modules.batchnorm._BatchNorm, inputs: tuple[Tensor]) -> None:
    """Batch norm gets the statistics of these inputs; a channel that is nearly silent is not made loud by it."""
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
    """What float32 alone does: the largest difference from the same network in float64, as a part of the range.

    None for a network that has float32 written into its code.
    """
    single = list(_tensors(model(*inputs)))[-1].double()
    try:
        double = list(_tensors(model.double()(*(tensor.double() for tensor in inputs))))[-1]
    except RuntimeError:
        return None
    finally:
        model.float()
    return float((single - double).abs().max() / (double.max() - double.min()))


def _shrink(layer: nn.Module, size: float) -> None:
    for parameter in layer.parameters(recurse=False):
        parameter.data /= size


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    else:
        for item in value.values() if isinstance(value, dict) else value:
            yield from _tensors(item)
