"""The optimizer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from convnet_core.common import fast_paths
from convnet_core.config.stages import TrainConfig


class Adam(torch.optim.Adam):
    """Fused `torch.optim.Adam` whose `step` on a CPU calls the kernel directly. The weights are identical, bit for bit.

    In each step, PyTorch 2.14 groups the parameters by device and checks for hooks and a profiler, which takes as long
    as one convolution of the ConvNet. This class calls no hooks. On other devices it runs PyTorch's own `step`.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        if closure is not None or not all(map(self._is_ready, self.param_groups)):
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

    step.hooked = True  # type: ignore[attr-defined]  # keeps PyTorch 2.14 from wrapping it in the code that it skips

    def _is_ready(self, group: dict[str, Any]) -> bool:
        """Whether each weight is on the CPU and has a gradient, and state from a first step by PyTorch."""
        weights = group["params"]
        supported = group["fused"] and not group["amsgrad"]
        return supported and all(
            weight.is_cpu and weight.grad is not None and weight in self.state for weight in weights
        )

    def zero_grad(self, set_to_none: bool = True) -> None:
        if not set_to_none:
            return super().zero_grad(set_to_none)
        for group in self.param_groups:
            for weight in group["params"]:
                weight.grad = None
        return None


def make_optimizer(model: nn.Module, config: TrainConfig, device: torch.device) -> torch.optim.Optimizer:
    """The optimizer of a config, fused into one kernel for all parameters.

    For a CUDA graph it is capturable, and its learning rate is a tensor on the device.
    """
    adam = Adam if fast_paths.is_enabled("adam") else torch.optim.Adam
    parameters, decay, capturable = model.parameters(), config.weight_decay, config.cuda_graph
    rate = torch.tensor(config.learning_rate, device=device) if capturable else config.learning_rate
    match config.optimizer:
        case "adam":
            return adam(parameters, rate, weight_decay=decay, fused=True, capturable=capturable)
        case "adamw":
            return adam(
                parameters, rate, weight_decay=decay, decoupled_weight_decay=True, fused=True, capturable=capturable
            )
        case "sgd":
            return torch.optim.SGD(parameters, rate, momentum=0.9, weight_decay=decay, fused=True)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of the next step; in place if it is a tensor, which a captured step reads."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def restore_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Load a state, possibly from another device; keeps this optimizer's `lr` (it may be a tensor) and `capturable`."""
    keys = ("lr", "capturable")
    settings: list[dict[str, Any]] = [
        {key: group[key] for key in keys if key in group} for group in optimizer.param_groups
    ]
    optimizer.load_state_dict(state)
    for group, group_settings in zip(optimizer.param_groups, settings, strict=True):
        group.update(group_settings)


def restore_moments(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Load what an optimizer of the same kind has gathered about each weight, and keep all settings of this one."""
    optimizer.load_state_dict({**state, "param_groups": optimizer.state_dict()["param_groups"]})
