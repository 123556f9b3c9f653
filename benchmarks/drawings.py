"""How many drawings a network that was trained on strokes reads: preset `fast`, three seeds, 1,000 drawings.

The drawings (tests/drawings.py) are made by other shapes and another renderer than the training images.

    python -m benchmarks.drawings
"""

from __future__ import annotations

import time

import numpy as np
import torch

from benchmarks.training import our_loop
from convnet_core import data
from convnet_core.config import PRESETS, DataConfig
from convnet_core.data.drawing import prepare
from convnet_core.data.strokes import generate
from convnet_core.training import Tensors
from tests.drawings import drawings


def main() -> None:
    began = time.monotonic()
    generate(60_000, 0)
    generate(10_000, 1)
    print(f"70,000 images generated in {time.monotonic() - began:.1f} s")
    images, digits = drawings(1000, seed=7)
    prepared = torch.from_numpy(np.stack([prepare(image.astype(np.float32) / 255) for image in images])[:, None])
    train = Tensors.of(data.load(DataConfig()).train)
    for seed in range(3):
        model, _ = our_loop(PRESETS["fast"].replace(seed=seed, device="cpu"), train)
        with torch.no_grad():
            right = model.eval()(prepared).argmax(1).numpy() == digits
        print(
            f"seed {seed}: {100 * right.mean():.1f} % of 1,000 drawings read; worst digit "
            f"{min(range(10), key=lambda d: right[digits == d].mean())}"
        )


if __name__ == "__main__":
    main()
