"""What moves the weights: the optimizer, and the learning rate of each step."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from convnet_core.config.stages import TrainConfig


class Adam(torch.optim.Adam):
    """`torch.optim.Adam`, fused, whose `step` on a CPU goes to the kernel at once: the same weights, bit for bit.

    PyTorch 2.14's own sorts the parameters by device and asks for hooks and a profiler in each step, which in a
    training of the ConvNet takes as long as a convolution. Hooks are not called. On other devices all is PyTorch's.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        if closure is not None or not all(map(self._ready, self.param_groups)):
            return super().step(closure)
        for group in self.param_groups:
            weights = group["params"]
            states = [self.state[weight] for weight in weights]
            counts = [state["step"] for state in states]
            torch._foreach_add_(counts, 1)
            kernel = torch._fused_adamw_ if group["decoupled_weight_decay"] else torch._fused_adam_
            kernel(
                weights,
                [weight.grad for weight in weights],
                [state["exp_avg"] for state in states],
                [state["exp_avg_sq"] for state in states],
                [],
                counts,
                lr=group["lr"],
                beta1=group["betas"][0],
                beta2=group["betas"][1],
                weight_decay=group["weight_decay"],
                eps=group["eps"],
                amsgrad=False,
                maximize=group["maximize"],
            )
        return None

    step.hooked = True  # type: ignore[attr-defined]  # else PyTorch 2.14 wraps it in what it is to do without

    def _ready(self, group: dict[str, Any]) -> bool:
        """Whether each weight has a gradient, and its state from an earlier step, which is PyTorch's own."""
        weights = group["params"]
        usual = group["fused"] and not group["amsgrad"]
        return usual and all(weight.is_cpu and weight.grad is not None and weight in self.state for weight in weights)

    def zero_grad(self, set_to_none: bool = True) -> None:
        if not set_to_none:
            return super().zero_grad(set_to_none)
        for group in self.param_groups:
            for weight in group["params"]:
                weight.grad = None
        return None


def make_optimizer(model: nn.Module, config: TrainConfig, device: torch.device) -> torch.optim.Optimizer:
    """The optimizer of a config, fused: one kernel for all parameters. For a CUDA graph it can be captured, and its
    learning rate is a tensor on the device.
    """
    parameters, decay, graphed = model.parameters(), config.weight_decay, config.cuda_graph
    rate = torch.tensor(config.learning_rate, device=device) if graphed else config.learning_rate
    match config.optimizer:
        case "adam":
            return Adam(parameters, rate, weight_decay=decay, fused=True, capturable=graphed)
        case "adamw":
            return Adam(
                parameters, rate, weight_decay=decay, decoupled_weight_decay=True, fused=True, capturable=graphed
            )
        case "sgd":
            return torch.optim.SGD(parameters, rate, momentum=0.9, weight_decay=decay, fused=True)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Of the next step; in place where it is a tensor, which a captured step reads."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def restore_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Load a state that may come from another device: how this one works (`lr` a tensor, `capturable`) stays."""
    kinds = ("lr", "capturable")
    own: list[dict[str, Any]] = [{key: group[key] for key in kinds if key in group} for group in optimizer.param_groups]
    optimizer.load_state_dict(state)
    for group, kept in zip(optimizer.param_groups, own, strict=True):
        group.update(kept)


def learning_rate(config: TrainConfig, step: int, total: int) -> float:
    """The learning rate of a step, counted from 0.

    `onecycle` climbs from 1/25 of the peak within 30 % of the steps and falls to 1/10,000 of where it
    began, along cosines (L. N. Smith, N. Topin, "Super-Convergence", 2018, with PyTorch's constants).
    """
    peak = config.learning_rate

    def cosine(start: float, end: float, share: float) -> float:
        return end + (start - end) * (1 + math.cos(math.pi * share)) / 2

    match config.schedule:
        case "constant":
            return peak
        case "cosine":
            return cosine(peak, 0.0, step / total)
        case "onecycle":
            warm = max(1.0, 0.3 * total - 1)
            if step <= warm:
                return cosine(peak / 25, peak, step / warm)
            return cosine(peak, peak / 25 / 1e4, (step - warm) / max(1.0, total - 1 - warm))
