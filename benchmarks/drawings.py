"""Share of drawings that networks trained on strokes read correctly: preset `fast`, three seeds, 1,000 drawings.

The drawings (testing/drawings.py) use different shapes and a different renderer from the training images. Then the
first seed's network reads simulated photographs of them (testing/sheets.py): uneven light, frames and ruled paper.

    python -m benchmarks.drawings [COUNT]
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.training import our_loop
from convnet_core.config.stages import PRESETS, DataConfig
from convnet_core.data import digits as data
from convnet_core.data.drawing import prepare
from convnet_core.data.strokes import generate
from convnet_core.errors import DataError
from convnet_core.training.loop import Tensors
from testing import sheets
from testing.drawings import drawings


def read_sheets(model: torch.nn.Module, images: list[Any], digits: NDArray[np.int64]) -> None:
    """Print the share read correctly for each kind of photograph; a rejected one counts as wrong."""
    combinations = [(light, mark) for light in ("even", "linear", "edge") for mark in sheets.MARKS[1:]]
    for light, mark in [*((light, "plain") for light in sheets.LIGHTS), *combinations]:
        rng = np.random.default_rng(3)
        correct = rejected = 0
        for image, digit in zip(images, digits, strict=True):
            try:
                prepared = torch.from_numpy(prepare(sheets.sheet(image, light, mark, rng)))
            except DataError:
                rejected += 1
                continue
            with torch.no_grad():
                correct += int(model(prepared[None, None]).argmax()) == digit
        print(f"{light} light, {mark}: {100 * correct / len(images):.1f} % read, {rejected} rejected", flush=True)


def main() -> None:
    start = time.monotonic()
    generate(60_000, 0)
    generate(10_000, 1)
    print(f"70,000 images generated in {time.monotonic() - start:.1f} s")
    images, digits = drawings(int(sys.argv[1]) if len(sys.argv) > 1 else 1000, seed=7)
    prepared = torch.from_numpy(np.stack([prepare(image.astype(np.float32) / 255) for image in images])[:, None])
    train = Tensors.of(data.load(DataConfig()).train)
    networks = []
    for seed in range(3):
        model, _ = our_loop(PRESETS["fast"].replace(seed=seed, device="cpu"), train)
        networks.append(model)
        with torch.no_grad():
            correct = model.eval()(prepared).argmax(1).numpy() == digits
        print(
            f"seed {seed}: {100 * correct.mean():.1f} % of {len(images):,} drawings read; worst digit "
            f"{min(range(10), key=lambda d: correct[digits == d].mean())}"
        )
    read_sheets(networks[0], images, digits)


if __name__ == "__main__":
    main()
