"""Search for the input on which two runtimes differ most.

Runtimes provide no gradient, so it is estimated from differences along random directions, forward and backward (SPSA:
Spall, "Multivariate stochastic approximation using a simultaneous perturbation gradient approximation", 1992). The
result is the worst input found, not a bound.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from convnet_core.config.stages import DissectConfig
from convnet_core.dissect.difference import Answer
from convnet_core.dissect.measurements import WorstInput
from convnet_core.tensors.arrays import Array, Feeds

_DIRECTIONS = 8
_STEP = 0.05
"""Share of the input's range."""


def search(
    name: str,
    reference: Answer,
    other: Answer,
    feeds: Feeds,
    span: float,
    config: DissectConfig,
    on_step: Callable[[int, int], None],
) -> tuple[WorstInput, Feeds]:
    """Ascend from the sample that differs most, within the range of the samples; the result and its input.

    Only float inputs change. `on_step` receives the number of steps done, and of all.
    """
    rng = np.random.default_rng(config.seed)
    moved = [key for key, array in feeds.items() if array.dtype.kind == "f"]

    def distance(batch: Feeds) -> Array:
        gap = np.abs(reference(batch).astype(np.float64) - other(batch))
        return np.asarray(gap.reshape(len(gap), -1).max(axis=1) / span)

    gaps = distance(feeds)
    start = int(gaps.argmax())
    point = {key: array[start : start + 1].copy() for key, array in feeds.items()}
    limits = {key: (float(feeds[key].min()), float(feeds[key].max())) for key in moved}
    before = best = float(gaps[start])
    best_point, steps = point, config.steps if moved else 0
    for step in range(steps):
        on_step(step, steps)
        batch, signs = _neighbors(point, moved, limits, rng)
        gaps = distance(batch)
        place = int(gaps.argmax())
        if gaps[place] > best:
            best = float(gaps[place])
            best_point = {key: array[place : place + 1].copy() for key, array in batch.items()}
        slopes = gaps[:_DIRECTIONS] - gaps[_DIRECTIONS:]
        for key in moved:
            low, high = limits[key]
            gradient = np.tensordot(slopes, signs[key], 1)
            moved_by = _STEP * (high - low) * np.sign(gradient)
            point[key] = np.clip(point[key] + moved_by, low, high).astype(feeds[key].dtype)
    return WorstInput(name, before, best, steps), best_point


def _neighbors(
    point: Feeds, moved: list[str], limits: dict[str, tuple[float, float]], rng: np.random.Generator
) -> tuple[Feeds, Feeds]:
    """The point moved along each direction, and then against each; the directions are signs."""
    batch = {key: np.repeat(array, 2 * _DIRECTIONS, 0) for key, array in point.items()}
    signs: Feeds = {}
    for key in moved:
        low, high = limits[key]
        signs[key] = rng.choice([-1.0, 1.0], (_DIRECTIONS, *point[key].shape[1:]))
        step = _STEP * (high - low) * np.concatenate([signs[key], -signs[key]])
        batch[key] = np.clip(batch[key] + step, low, high).astype(point[key].dtype)
    return batch, signs
