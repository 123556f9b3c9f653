"""Labels: which samples are so close to another label that an error could flip them, and which did flip."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from convnet_core.dissect.measurements import Labels
from convnet_core.tensors.arrays import Array

_MOST_NAMED = 20
"""The most samples to name."""


def compare_labels(reference: Array, others: Mapping[str, Array], truth: Array | None) -> dict[str, Labels]:
    """Compare scores [n, classes] of each runtime with the reference. `truth` is int64 [n]."""
    top = np.sort(reference, axis=1)
    margin = top[:, -1] - top[:, -2]
    expected = reference.argmax(1)
    results = {}
    for name, scores in others.items():
        error = np.abs(scores.astype(np.float64) - reference).max(axis=1)
        worst = float(error.max(initial=0.0))
        # Two scores that are each off by `worst` can close a gap of twice that size.
        close = np.flatnonzero(margin <= 2 * worst)
        closest = close[np.argsort(margin[close], kind="stable")][:_MOST_NAMED]
        labels = scores.argmax(1)
        flipped = np.flatnonzero(labels != expected)
        results[name] = Labels(
            samples=len(labels),
            agreement=float((labels == expected).mean()),
            accuracy=None if truth is None else float((labels == truth).mean()),
            max_error=worst,
            could_flip=len(close),
            closest=tuple(map(int, closest)),
            margins=tuple(map(float, margin[closest])),
            flipped=len(flipped),
            examples=tuple(map(int, flipped[:_MOST_NAMED])),
            answers=tuple((int(expected[place]), int(labels[place])) for place in flipped[:_MOST_NAMED]),
        )
    return results


def is_scores(array: Array) -> bool:
    """Whether an output can be read as class scores."""
    return array.ndim == 2 and array.shape[1] > 1 and array.dtype.kind == "f" and bool(np.isfinite(array).all())
