"""Statistics of the values of a weight."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convnet_core.graphs.graph import Statistics

BINS = 64


def of_values(values: NDArray[Any]) -> Statistics | None:
    """Statistics of a numeric or boolean array of any shape; None for strings and complex numbers."""
    if values.dtype.kind in "OSUc":
        return None
    if values.dtype.kind not in "biuf":  # bfloat16, float8, int4 and similar
        values = values.astype(np.float32)
    flat = values.reshape(-1).astype(np.float64, copy=False)
    finite = flat[np.isfinite(flat)]
    not_finite = int(flat.size - finite.size)
    if not finite.size:
        return Statistics(int(flat.size), not_finite, None, None, None, None, None)
    low, high = float(finite.min()), float(finite.max())
    bounds = (low, high) if low < high else (low - 0.5, high + 0.5)
    with np.errstate(over="ignore", invalid="ignore"):  # values near float64's limits
        return Statistics(
            count=int(flat.size),
            not_finite=not_finite,
            min=low,
            max=high,
            mean=_finite(finite.mean()),
            std=_finite(finite.std()),
            zeros=float(np.count_nonzero(finite == 0) / finite.size),
            counts=_histogram(finite, bounds),
            low=bounds[0],
            high=bounds[1],
        )


def _histogram(values: NDArray[np.float64], bounds: tuple[float, float]) -> tuple[int, ...]:
    try:
        counts, _ = np.histogram(values, BINS, bounds)
    except ValueError:  # the range is infinite, or too small for 64 bins
        return ()
    return tuple(counts.tolist())


def _finite(value: np.floating[Any]) -> float | None:
    """None for NaN and infinity, which JSON lacks; sums of values near float64's limit overflow."""
    return float(value) if math.isfinite(value) else None
