"""How far one tensor is from another. Needs only NumPy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from convnet_core.runtimes.specs import spec_of
from convnet_core.tensors.arrays import Array, Feeds

EPSILON = float(np.finfo(np.float32).eps)
BINS = 24
"""Bins of the histogram, half a power of ten each, from 1e-12 of the range to the full range."""


ALLOWED = {"float32": 1e-5, "float16": 5e-3, "int8": 0.1}
"""The error that a node may add, as a share of its output's range, by its runtime's precision."""


@dataclass(frozen=True)
class Difference:
    """The error of a tensor against the reference, which has the same shape.

    `relative` is the largest error as a share of the reference's range, `cosine` the cosine similarity of the two as
    vectors (None if one of them is zero), `histogram` the counts of log10(error / range) in BINS bins; the first bin
    includes everything smaller.
    """

    max: float
    mean: float
    relative: float
    cosine: float | None
    histogram: tuple[int, ...]


def value_range(array: Array) -> float:
    """The range of a tensor's finite values; their magnitude if all are equal; 1 if they are zero or there are none."""
    values = array[np.isfinite(array)]
    if not values.size:
        return 1.0
    return float(np.ptp(values.astype(np.float64))) or float(np.abs(values).max()) or 1.0


def difference(got: Array, expected: Array) -> Difference:
    """Measure a float tensor. Equal NaN and infinity have error 0, unequal ones an infinite error."""
    a, b = got.astype(np.float64).ravel(), expected.astype(np.float64).ravel()
    with np.errstate(invalid="ignore"):
        error = np.abs(a - b)
    error[(a == b) | (np.isnan(a) & np.isnan(b))] = 0.0
    error[np.isnan(error)] = np.inf
    relative = error / value_range(expected)
    counts, _ = np.histogram(np.log10(np.clip(relative, 1e-12, 0.999999)), BINS, (-12.0, 0.0))
    return Difference(
        max=float(error.max(initial=0.0)),
        mean=float(error.mean()) if error.size else 0.0,
        relative=float(relative.max(initial=0.0)),
        cosine=_cosine(a, b),
        histogram=tuple(counts.tolist()),
    )


def _cosine(a: Array, b: Array) -> float | None:
    with np.errstate(all="ignore"):
        lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
        return float(a @ b) / lengths if lengths and np.isfinite(lengths) else None


Answer = Callable[[Feeds], Array]


ROUNDING = 1e-3
"""Share of the range: a float32 output with a larger error is wrong, not just rounded."""


def is_float32(runtime: str) -> bool:
    """Whether a runtime computes in float32; the others have less precision."""
    return spec_of(runtime).precision == "float32"
