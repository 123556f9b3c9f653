"""The learning rate of each step. Does not import torch."""

from __future__ import annotations

import math

from convnet_core.config.stages import TrainConfig

WARM_UP = 0.3
"""The fraction of all steps in which `onecycle` rises: PyTorch's constant."""


def learning_rate(config: TrainConfig, step: int, total: int) -> float:
    """The learning rate of a step, counted from 0.

    `onecycle` rises from 1/25 of the peak over the first `WARM_UP` of the steps, then falls to 1/10,000 of its start,
    both along a cosine (L. N. Smith, N. Topin, "Super-Convergence", 2018, with PyTorch's constants).
    """
    peak = config.learning_rate

    def cosine(start: float, end: float, fraction: float) -> float:
        return end + (start - end) * (1 + math.cos(math.pi * fraction)) / 2

    match config.schedule:
        case "constant":
            return peak
        case "cosine":
            return cosine(peak, 0.0, step / total)
        case "onecycle":
            warm = max(1.0, WARM_UP * total - 1)
            if step <= warm:
                return cosine(peak / 25, peak, step / warm)
            return cosine(peak, peak / 25 / 1e4, (step - warm) / max(1.0, total - 1 - warm))
