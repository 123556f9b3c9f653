"""A part of a data set, for training or for testing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SIDE, CLASSES = 28, 10
"""Images have 28 × 28 pixels and show one of ten digits."""


@dataclass(frozen=True)
class Split:
    """Images, uint8 [n, 28, 28] with bright ink, and their labels, uint8 [n] from 0 to 9."""

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.images)

    def first(self, count: int) -> Split:
        """The first `count` images; 0 means all."""
        return self if count == 0 or count >= len(self) else Split(self.images[:count], self.labels[:count])

    def scaled(self) -> NDArray[np.float32]:
        """The images as the networks' input: float32 [n, 1, 28, 28] in [0, 1]."""
        return self.images[:, None].astype(np.float32) / np.float32(255)
