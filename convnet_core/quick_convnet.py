"""The ConvNet's forward and backward pass in training on a CPU, by hand: kernel after kernel of PyTorch's own.

At a batch of 50 the kernels take about a millisecond, and what calls them as long again: modules, autocast with its
copies, and autograd with its graph of some 90 operators. Here the whole network is one operator of that graph, from
images to logits; the loss, the optimizer and the loop are as everywhere. Three kernels are others than PyTorch 2.14
takes by itself:

- In float32 `native_batch_norm` adds up mean and variance one number after the other, in double precision: 580 µs
  forward. Two reductions that use the processor's vectors and the kernel of eval mode take 110.
- In float32 a linear layer goes to MKL, which does badly on AMD's processors where one side of a matrix is short.
  oneDNN, which convolutions and bfloat16 use anyway, takes half of the time or less.
- In bfloat16 ReLU and its gradient convert each number to float32 and back. As integers of 16 bits they compare the
  same, in a third of the time.

In eval mode, on a GPU, and while the network is exported or compiled its layers run, bit for bit.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

_ONEDNN: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
_ONES = [1, 1]
_INFINITY_BELOW = -128
"""The bits of bfloat16's −∞, as an integer: all numbers below 0 are less or the same, a NaN with a sign is greater."""


def _precision() -> torch.dtype:
    """What autocast asks for."""
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else torch.float32


def applies(block: nn.Sequential, fc: nn.Linear, images: Tensor) -> bool:
    """Whether the network is being trained on a CPU, on images that fit, and nothing else than its answer is asked."""
    return (
        _ONEDNN
        and fc.training
        and torch.is_grad_enabled()
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()  # type: ignore[attr-defined,no-untyped-call]
        and images.is_cpu
        and images.dtype == torch.float32
        and images.dim() == 4
        and images.shape[1] == 1 <= len(images)
        and images[0].numel() * cast(nn.Conv2d, block[0]).out_channels == fc.in_features
        and not images.requires_grad
        and _precision() in (torch.float32, torch.bfloat16)
    )


def logits(block: nn.Sequential, fc: nn.Linear, images: Tensor) -> Tensor:
    """float32 images [batch, 1, height, width] -> logits [batch, 10] in the precision of autocast, where `block` is a
    convolution, a batch norm and ReLU.

    Moves the running statistics, too. There is no second derivative, and hooks of the layers are not called.
    """
    conv, norm = cast(nn.Conv2d, block[0]), cast(nn.BatchNorm2d, block[1])
    weights = (conv.weight, conv.bias, norm.weight, norm.bias, fc.weight, fc.bias)
    return cast(Tensor, _Network.apply(images, *weights, norm, _precision()))


class _Network(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, images: Tensor, kernel: Tensor, offset: Tensor, scale: Tensor, shift: Tensor, rows: Tensor,
        bias: Tensor, norm: nn.BatchNorm2d, precision: torch.dtype,
    ) -> Tensor:  # fmt: skip
        images, kernel, offset, rows, bias = (item.to(precision) for item in (images, kernel, offset, rows, bias))
        border = [size // 2 for size in kernel.shape[2:]]
        features = torch.mkldnn_convolution(images, kernel, offset, border, _ONES, _ONES, 1)
        active, mean, inverse = _normalised(features, scale, shift, norm)
        _relu_(active)
        ctx.save_for_backward(images, kernel, features, scale, mean, inverse, active, rows)
        ctx.border, ctx.eps = border, norm.eps
        return _multiply(active.flatten(1), rows, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        images, kernel, features, scale, mean, inverse, active, rows = ctx.saved_tensors
        of_rows = _multiply(gradient.t(), active.flatten(1).t())
        below = _multiply(gradient, rows.t()).view_as(active)
        below = _where_active(below, active)
        below, of_scale, of_shift = torch.ops.aten.native_batch_norm_backward(
            below, features, scale, None, None, mean, inverse, True, ctx.eps, [True, True, True]
        )
        _, of_kernel, of_offset = torch.ops.aten.convolution_backward(
            below, images, kernel, [len(kernel)], _ONES, ctx.border, _ONES, False, [0, 0], 1, [False, True, True]
        )
        found = (of_kernel, of_offset, of_scale, of_shift, of_rows, gradient.sum(0, dtype=torch.float32))
        return None, *(item.float() for item in found), None, None


def _normalised(features: Tensor, scale: Tensor, shift: Tensor, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor, Tensor]:
    """Batch norm in training: the features normalised, each channel's mean, and 1 / √(variance + eps)."""
    running, moved = (norm.running_mean, norm.running_var), cast(float, norm.momentum)
    cast(Tensor, norm.num_batches_tracked).add_(1)
    if features.dtype != torch.float32:
        return torch.native_batch_norm(features, scale, shift, *running, True, moved, norm.eps)
    mean, variance = _statistics(features)
    count = features.numel() // len(mean)
    for old, new in zip(running, (mean, variance * (count / (count - 1))), strict=True):
        cast(Tensor, old).lerp_(new, moved)  # the variance among them is the unbiased one
    known = torch.native_batch_norm(features, scale, shift, mean, variance, False, 0.0, norm.eps)
    return known[0], mean, torch.rsqrt(variance + norm.eps)


def _statistics(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance of each channel, [channels] both.

    The variance is E[x²] − E[x]², whose error is about 1e-7 of E[x²]: nothing for what a convolution gives, which
    spreads at least a sixth as far as it lies from 0.
    """
    planes = features.flatten(2)
    mean = planes.mean((0, 2))
    squares = torch.linalg.vector_norm(planes, dim=2).square_().sum(0)
    return mean, squares.div_(planes.numel() // len(mean)).addcmul_(mean, mean, value=-1).clamp_min_(0)


def _relu_(value: Tensor) -> None:
    """ReLU in place; what is not a number stays so."""
    if value.dtype == torch.bfloat16:
        torch.threshold_(value.view(torch.int16), _INFINITY_BELOW, 0)
    else:
        value.relu_()


def _where_active(gradient: Tensor, active: Tensor) -> Tensor:
    """The gradient where ReLU's answer is above 0, else 0."""
    if gradient.dtype == torch.bfloat16:
        whole = torch.ops.aten.threshold_backward(gradient.view(torch.int16), active.view(torch.int16), 0)
        return cast(Tensor, whole.view(torch.bfloat16))
    return cast(Tensor, torch.ops.aten.threshold_backward(gradient, active, 0))


def _multiply(left: Tensor, right: Tensor, bias: Tensor | None = None) -> Tensor:
    """`left` [m, k] · `right` [n, k] transposed (+ `bias` [n]), by oneDNN: the operator that `torch.compile` takes."""
    return cast(Tensor, torch.ops.mkldnn._linear_pointwise(left, right, bias, "none", [], ""))
