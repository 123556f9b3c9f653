"""Two layers that train faster on a CPU in float32: PyTorch's own formulas, by others of its kernels.

In a training of the ConvNet on a CPU, PyTorch 2.14 spends much of a step in two kernels that do not suit it:

- `native_batch_norm` adds up the mean and the variance of a contiguous float32 tensor one number after the other, in
  double precision: forward 580 µs. With two reductions that use the processor's vectors it takes 110.
- A linear layer goes to MKL, which does badly on AMD's processors where one side of a matrix is short. oneDNN, which
  convolutions and bfloat16 use anyway, takes half of the time or less.

In eval mode, in other precisions, on a GPU, and while a network is exported both are PyTorch's own, bit for bit. They
are made for this project's loop: there is no second derivative, and `torch.fx` cannot trace into them.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable

_ONEDNN: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]


def _quick(layer: nn.Module, value: Tensor) -> bool:
    """Whether a layer is being trained on a CPU in float32, and nothing watches which operators it runs."""
    return (
        layer.training
        and value.is_cpu
        and value.dtype == torch.float32
        and torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()  # type: ignore[attr-defined,no-untyped-call]
    )


class BatchNorm2d(nn.BatchNorm2d):
    """`nn.BatchNorm2d` with its defaults, over features [batch, channels, height, width].

    The quick variance is E[x²] − E[x]², whose error is about 1e-7 of E[x²]: nothing for what a convolution gives, which
    spreads at least a sixth as far as it lies from 0. Only of contiguous features; for channels last PyTorch is quick.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor
    momentum: float

    def __init__(self, channels: int) -> None:
        super().__init__(channels)

    def forward(self, features: Tensor) -> Tensor:
        if not (_quick(self, features) and features.is_contiguous() and self._fits(features)):
            return super().forward(features)
        mean, variance = _statistics(features.detach())
        self._remember(mean, variance, features.numel() // len(mean))
        normalised = _Normalise.apply(features, self.weight, self.bias, mean, variance, self.eps)
        return cast(Tensor, normalised)

    def _fits(self, features: Tensor) -> bool:
        """Whether there is a variance to be had; else PyTorch says what is wrong."""
        return features.dim() == 4 and features.shape[1] == self.num_features < features.numel()

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Move the running statistics towards a batch's; the variance among them is the unbiased one."""
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)


def _statistics(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance of each channel, [channels] both."""
    planes = features.flatten(2)
    mean = planes.mean((0, 2))
    squares = torch.linalg.vector_norm(planes, dim=2).square_().sum(0)
    return mean, squares.div_(planes.numel() // len(mean)).addcmul_(mean, mean, value=-1).clamp_min_(0)


class _Normalise(torch.autograd.Function):
    """(x − mean) / √(variance + eps) · weight + bias, where mean and variance are those of x."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, features: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, variance: Tensor, eps: float
    ) -> Tensor:
        ctx.save_for_backward(features, weight, mean, torch.rsqrt(variance + eps))
        return torch.native_batch_norm(features, weight, bias, mean, variance, False, 0.0, eps)[0]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        features, weight, mean, inverse = ctx.saved_tensors
        gradients = torch.ops.aten.native_batch_norm_backward(
            gradient, features, weight, None, None, mean, inverse, True, 0.0, [True, True, True]
        )
        return (*gradients, None, None, None)


class Linear(nn.Linear):
    """`nn.Linear`, features [batch, in] -> [batch, out]."""

    def forward(self, input: Tensor) -> Tensor:
        if not (_ONEDNN and _quick(self, input) and input.dim() == 2 and len(input) and self.bias is not None):
            return super().forward(input)
        return cast(Tensor, _Multiply.apply(input, self.weight, self.bias))


def _multiply(left: Tensor, right: Tensor, bias: Tensor | None = None) -> Tensor:
    """`left` [m, k] · `right` [n, k] transposed (+ `bias` [n]), by oneDNN: the operator that `torch.compile` takes."""
    return cast(Tensor, torch.ops.mkldnn._linear_pointwise(left, right, bias, "none", [], ""))


class _Multiply(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, features: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(features, weight)
        return _multiply(features, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        features, weight = ctx.saved_tensors
        below = _multiply(gradient, weight.t()) if ctx.needs_input_grad[0] else None
        return below, _multiply(gradient.t(), features.t()), gradient.sum(0)
