"""Named arrays, and what a model says about its inputs and outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Feeds = dict[str, Array]
"""Arrays by the name of the ONNX input (or output) that they belong to."""


@dataclass(frozen=True)
class TensorInfo:
    """An input or output of a model; a dimension is None where it is dynamic."""

    name: str
    dtype: str
    shape: tuple[int | None, ...]


def batch_of(feeds: Feeds, start: int, stop: int) -> Feeds:
    """The samples from `start` to `stop` of every array; the batch is the first dimension."""
    return {name: array[start:stop] for name, array in feeds.items()}


def sample_count(feeds: Feeds) -> int:
    """The number of samples in the feeds."""
    return len(next(iter(feeds.values())))


def flat_samples(array: Array) -> NDArray[np.float64]:
    """[n, ...] as float64 [n, values]."""
    return array.reshape(len(array), -1).astype(np.float64)
