"""How far one tensor is from another. NumPy alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from convnet_core.runtimes.specs import spec_of
from convnet_core.tensors.arrays import Array, Feeds

EPSILON = float(np.finfo(np.float32).eps)
BINS = 24
"""Of the histogram: half a power of ten each, from 1e-12 of the range up to the whole of it."""


@dataclass(frozen=True)
class Difference:
    """The error of a tensor against the reference's, of the same shape.

    `relative` is the largest error as a part of the reference's range, `cosine` that of the angle between the two as
    vectors (None where one of them is zero), `histogram` how many values are off by how much: BINS of
    log10(error / range), the first with all that is less.
    """

    max: float
    mean: float
    relative: float
    cosine: float | None
    histogram: tuple[int, ...]


def value_range(array: Array) -> float:
    """The range of a tensor's values; their size where all are one; 1 where they are zero or there is none."""
    values = array[np.isfinite(array)]
    if not values.size:
        return 1.0
    return float(np.ptp(values.astype(np.float64))) or float(np.abs(values).max()) or 1.0


def difference(got: Array, expected: Array) -> Difference:
    """Measure a tensor of floats. NaN and infinity that are equal count as equal, others as infinitely far."""
    a, b = got.astype(np.float64).ravel(), expected.astype(np.float64).ravel()
    with np.errstate(invalid="ignore"):
        error = np.abs(a - b)
    error[(a == b) | (np.isnan(a) & np.isnan(b))] = 0.0
    error[np.isnan(error)] = np.inf
    part = error / value_range(expected)
    counts, _ = np.histogram(np.log10(np.clip(part, 1e-12, 0.999999)), BINS, (-12.0, 0.0))
    return Difference(
        max=float(error.max(initial=0.0)),
        mean=float(error.mean()) if error.size else 0.0,
        relative=float(part.max(initial=0.0)),
        cosine=_cosine(a, b),
        histogram=tuple(counts.tolist()),
    )


def _cosine(a: Array, b: Array) -> float | None:
    with np.errstate(all="ignore"):
        lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
        return float(a @ b) / lengths if lengths and np.isfinite(lengths) else None


Answer = Callable[[Feeds], Array]


ROUNDING = 1e-3
"""Of the range: a float32 answer further off than this is another answer, not a rounded one."""


def is_float32(runtime: str) -> bool:
    """Whether a runtime computes in float32; the others have less precision."""
    return spec_of(runtime).precision == "float32"
