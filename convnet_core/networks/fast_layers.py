"""Two layers that train faster on a CPU in float32: the same formulas as in PyTorch, computed by other kernels.

When the ConvNet trains on a CPU, PyTorch 2.14 spends much of a step in two slow kernels:

- `native_batch_norm` computes the mean and variance of a contiguous float32 tensor without SIMD, in double precision:
  the forward pass takes 580 µs. With two vectorized reductions it takes 110 µs.
- A linear layer uses MKL, which is slow on AMD processors if one side of the matrix is short. oneDNN, which
  convolutions and bfloat16 use anyway, takes half the time or less.

In eval mode, in other precisions, on a GPU, and during export both layers run PyTorch's own code, bit for bit. They are
written for this project's training loop: they have no second derivative, and `torch.fx` cannot trace into them.
A PyTorch without oneDNN uses neither.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable

from convnet_core.common import fast_paths


def batch_norm(channels: int) -> nn.BatchNorm2d:
    """A batch norm layer for features [batch, channels, height, width]; PyTorch's own if the speedup is off."""
    return BatchNorm2d(channels) if fast_paths.is_enabled("layers") else nn.BatchNorm2d(channels)


def linear(features_in: int, features_out: int) -> nn.Linear:
    """A linear layer; PyTorch's own if the speedup is off, or PyTorch was built without oneDNN."""
    fast = fast_paths.is_enabled("layers") and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return Linear(features_in, features_out) if fast else nn.Linear(features_in, features_out)


def _use_fast_path(layer: nn.Module, value: Tensor) -> bool:
    """Whether a layer is training on a CPU in float32 and is not being traced or compiled."""
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

    The fast variance is E[x²] − E[x]², with an error of about 1e-7 · E[x²]. That is negligible for the output of a
    convolution, whose standard deviation is at least a sixth of its mean. It is used for contiguous features only; for
    channels last, PyTorch is fast.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor
    momentum: float

    def __init__(self, channels: int) -> None:
        super().__init__(channels)

    def forward(self, features: Tensor) -> Tensor:
        if not (_use_fast_path(self, features) and features.is_contiguous() and self._fits(features)):
            return super().forward(features)
        mean, variance = _statistics(features.detach())
        self._update_running_statistics(mean, variance, features.numel() // len(mean))
        normalized = _Normalize.apply(features, self.weight, self.bias, mean, variance, self.eps)
        return cast(Tensor, normalized)

    def _fits(self, features: Tensor) -> bool:
        """Whether the features have a valid shape and a variance; else PyTorch reports the error."""
        return features.dim() == 4 and features.shape[1] == self.num_features < features.numel()

    @torch.no_grad()
    def _update_running_statistics(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Move the running statistics toward those of a batch, with the unbiased variance."""
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)


def _statistics(features: Tensor) -> tuple[Tensor, Tensor]:
    """The mean and the biased variance of each channel, both [channels]."""
    planes = features.flatten(2)
    mean = planes.mean((0, 2))
    squares = torch.linalg.vector_norm(planes, dim=2).square_().sum(0)
    return mean, squares.div_(planes.numel() // len(mean)).addcmul_(mean, mean, value=-1).clamp_min_(0)


class _Normalize(torch.autograd.Function):
    """(x − mean) / √(variance + eps) · weight + bias, with the mean and variance of x."""

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
        if not (_use_fast_path(self, input) and input.dim() == 2 and len(input) and self.bias is not None):
            return super().forward(input)
        return cast(Tensor, _Multiply.apply(input, self.weight, self.bias))


def _multiply(left: Tensor, right: Tensor, bias: Tensor | None = None) -> Tensor:
    """`left` [m, k] · `right` [n, k] transposed (+ `bias` [n]) with oneDNN, by `torch.compile`'s operator for it."""
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
