"""One output of one runtime against the reference's. Needs only NumPy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convnet_core.language import _, plural
from convnet_core.onnx_files.precision import FLOAT32
from convnet_core.tensors.arrays import flat_samples

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Key:
    """What a measurement measures."""

    runtime: str
    converter: str | None
    inputs: str
    batch: int
    output: str


@dataclass(frozen=True)
class Measurement:
    """One output of one runtime on one input set at one batch size, against the reference.

    `max_abs` and `scale` are float64 [n]: each sample's largest |error|, and largest finite |output| of the reference.
    `answers`, `expected` and `truth` are labels int64 [n], if the input set has labels. `fault` says why there is
    nothing to measure; `precision` is the coarsest on the path to this output; `moved` is the number of rows that were
    put in the reference's order because their scores are nearly equal; `not_finite` is the number of values that are
    NaN or infinite although the reference's are not.
    """

    key: Key
    max_abs: Floats
    mean_abs: float
    scale: Floats
    answers: Labels | None = None
    expected: Labels | None = None
    truth: Labels | None = None
    fault: str = ""
    precision: str = FLOAT32
    moved: int = 0
    not_finite: int = 0

    @property
    def max_rel(self) -> float:
        """The largest |error| over the largest |output| of the same sample."""
        with np.errstate(divide="ignore", invalid="ignore"):
            relative = np.where(self.max_abs == 0, 0.0, self.max_abs / self.scale)
        return float(relative.max(initial=0.0))

    @property
    def agreement(self) -> float | None:
        """The share of samples with the reference's label."""
        return None if self.answers is None else float((self.answers == self.expected).mean())

    @property
    def accuracy(self) -> float | None:
        """The share of samples with the right label."""
        return None if self.answers is None else float((self.answers == self.truth).mean())

    @property
    def accuracy_drop(self) -> float:
        """How much larger the reference's share of right labels is."""
        assert self.answers is not None
        assert self.expected is not None
        return float((self.expected == self.truth).mean() - (self.answers == self.truth).mean())

    def at(self, places: NDArray[np.intp]) -> Measurement:
        """The labels of some of the samples."""
        assert self.answers is not None
        assert self.expected is not None
        assert self.truth is not None
        return replace(self, answers=self.answers[places], expected=self.expected[places], truth=self.truth[places])


def difference(
    key: Key, got: NDArray[Any], expected: NDArray[Any], labels: Labels | None = None, precision: str = FLOAT32
) -> Measurement:
    """Measure one output [n, ...] against the reference's; `precision` is the coarsest on the path to it."""
    measured = _difference(key, got, expected, labels, rounded=expected.dtype.name == precision)
    return replace(measured, precision=precision)


def _difference(
    key: Key, got: NDArray[Any], expected: NDArray[Any], labels: Labels | None, *, rounded: bool
) -> Measurement:
    if got.shape != expected.shape:
        return failed_measurement(
            key, _("wrong shape: {got} instead of {expected}", got=list(got.shape), expected=list(expected.shape))
        )
    if expected.dtype.kind in "iu" and got.dtype == expected.dtype and rounded:
        # Quantized: a value between two integers may be rounded to either.
        return _equality(key, np.where(np.abs(got.astype(np.int64) - expected) <= 1, expected, got), expected)
    if expected.dtype.kind in "biuOSU":
        return _equality(key, got, expected)
    a, b = flat_samples(got), flat_samples(expected)
    equal = (a == b) | (np.isnan(a) & np.isnan(b))  # infinities are valid, for example in a mask
    with np.errstate(invalid="ignore"):
        error = np.where(equal, 0.0, np.abs(a - b))
    mean = float(error.mean()) if error.size else 0.0
    largest = np.where(np.isfinite(b), np.abs(b), 0.0).max(axis=1, initial=0.0)
    measured = Measurement(key, error.max(axis=1, initial=0.0), mean, largest)
    if not (equal | np.isfinite(b)).all():
        return failed_measurement(key, _("the reference's output has NaN or infinity where this one differs"))
    if unusable := int((~equal & ~np.isfinite(a)).sum()):
        fault = plural("{count} value is NaN or infinite", "{count} values are NaN or infinite", unusable)
        return replace(measured, fault=fault, not_finite=unusable)
    if labels is None or a.shape[1] < 2:
        return measured
    return replace(measured, answers=a.argmax(axis=1), expected=b.argmax(axis=1), truth=labels)


def _equality(key: Key, got: NDArray[Any], expected: NDArray[Any]) -> Measurement:
    """Integers, booleans and strings must match exactly: an error counts as 1, with scale 0."""
    error = flat_samples(np.asarray(got != expected))
    wrong = error.max(axis=1, initial=0.0)
    return Measurement(key, wrong, float(error.mean()) if error.size else 0.0, np.zeros(len(wrong)))


def failed_measurement(key: Key, reason: str) -> Measurement:
    """A measurement that failed, with the reason."""
    return Measurement(key, np.empty(0), float("nan"), np.empty(0), fault=reason)
