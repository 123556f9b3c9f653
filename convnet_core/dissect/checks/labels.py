"""Labels: which samples are so close to another label that an error could flip them, and which have flipped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from convnet_core.tensors.arrays import Array

_MOST_NAMED = 20
"""Samples that are named."""


@dataclass(frozen=True)
class Labels:
    """One runtime's labels on the many samples: the share that is the reference's, its accuracy where the answers are
    known, its largest error, how many samples' margin (top-1 minus top-2) is at most twice that, and the first ones of
    these and of those that have flipped, by place: with their margins, and with the reference's label and its own.
    """

    samples: int
    agreement: float
    accuracy: float | None
    max_error: float
    could_flip: int
    closest: tuple[int, ...]
    margins: tuple[float, ...]
    flipped: int
    examples: tuple[int, ...]
    answers: tuple[tuple[int, int], ...]


def compare_labels(reference: Array, others: Mapping[str, Array], truth: Array | None) -> dict[str, Labels]:
    """For scores [n, classes] of the reference and of each runtime."""
    top = np.sort(reference, axis=1)
    margin = top[:, -1] - top[:, -2]
    right = reference.argmax(1)
    found = {}
    for name, scores in others.items():
        error = np.abs(scores.astype(np.float64) - reference).max(axis=1)
        worst = float(error.max(initial=0.0))
        # Two scores that are each off by `worst` can close a gap of twice that.
        close = np.flatnonzero(margin <= 2 * worst)
        closest = close[np.argsort(margin[close], kind="stable")][:_MOST_NAMED]
        labels = scores.argmax(1)
        flipped = np.flatnonzero(labels != right)
        found[name] = Labels(
            samples=len(labels),
            agreement=float((labels == right).mean()),
            accuracy=None if truth is None else float((labels == truth).mean()),
            max_error=worst,
            could_flip=len(close),
            closest=tuple(map(int, closest)),
            margins=tuple(map(float, margin[closest])),
            flipped=len(flipped),
            examples=tuple(map(int, flipped[:_MOST_NAMED])),
            answers=tuple((int(right[place]), int(labels[place])) for place in flipped[:_MOST_NAMED]),
        )
    return found


def is_scores(array: Array) -> bool:
    """Whether an output can be read as scores of classes."""
    return array.ndim == 2 and array.shape[1] > 1 and array.dtype.kind == "f" and bool(np.isfinite(array).all())
