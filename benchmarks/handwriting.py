"""Show the digits that a network trained on generated handwriting misreads, with the nearest generated ones.

    python -m benchmarks.handwriting SHEET.png --data-dir FOLDER [--preset accurate] [--off INGREDIENT ...]

One line per common mistake on MNIST's training images (the generator is tuned on these; the test set is for the final
figure): misread digits above, and below each the closest generated digit of the true class. If those look different,
the generator lacks a way of writing. `--off` turns off ingredients of the generator, to see what they contribute.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.training import our_loop
from convnet_core.config.stages import PRESETS, DataConfig
from convnet_core.data import digits as data
from convnet_core.data.split import Split
from convnet_core.data.strokes import Hand, generate
from convnet_core.training import loop
from convnet_core.training.loop import Tensors

_ACROSS, _LINES = 24, 12
PLAIN = {
    "jitter": 0.0,
    "wave": 0.0,
    "ends": 0.0,
    "slant": 0.0,
    "rotation": 0.0,
    "aspect": (0.85, 0.85),
    "radius": (1.4, 1.4),
    "pressure": 0.0,
    "edge": (1.0, 1.0),
    "rough": 0.0,
    "grain": 0.0,
}
"""The values that turn off each ingredient."""


def nearest(images: NDArray[np.uint8], generated: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """For each image, the generated one with the least squared pixel difference."""
    a, b = (item.reshape(len(item), -1).astype(np.float32) for item in (images, generated))
    distance = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T
    closest: NDArray[np.uint8] = generated[distance.argmin(1)]
    return closest


def sheet(digits: Split, answers: NDArray[np.int64], generated: Split) -> Image.Image:
    """A picture of the most common mistakes, two lines each."""
    wrong = answers != digits.labels
    pairs, counts = np.unique(np.stack([digits.labels[wrong], answers[wrong]]), axis=1, return_counts=True)
    lines = []
    for index in counts.argsort()[::-1][:_LINES]:
        truth, answer = pairs[:, index]
        misread = digits.images[(digits.labels == truth) & (answers == answer)][:_ACROSS]
        print(f"{truth} read as {answer}: {counts[index]} times")
        rows = np.stack([misread, nearest(misread, generated.images[generated.labels == truth])])
        rows = np.pad(rows, ((0, 0), (0, _ACROSS - len(misread)), (1, 1), (1, 1)))
        lines.append(rows.transpose(0, 2, 1, 3).reshape(2 * 30, _ACROSS * 30))
        lines.append(np.full((3, _ACROSS * 30), 128, np.uint8))
    picture = Image.fromarray(255 - np.concatenate(lines))
    return picture.resize((2 * picture.width, 2 * picture.height))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sheet", type=Path)
    parser.add_argument("--data-dir", default="", help="MNIST's IDX files, gzip; default $CONVNET_DATA_DIR")
    parser.add_argument("--preset", choices=list(PRESETS), default="fast")
    parser.add_argument("--off", nargs="*", choices=list(PLAIN), default=[])
    args = parser.parse_args()
    off: dict[str, Any] = {name: PLAIN[name] for name in args.off}
    hand = dataclasses.replace(Hand(), **off)
    generated = Split(*generate(60_000, 0, hand))
    digits = data.load(DataConfig(source="mnist", folder=args.data_dir)).train
    model, seconds = our_loop(PRESETS[args.preset].replace(device="cpu"), Tensors.of(generated))
    evaluation = loop.evaluate(model, Tensors.of(digits))
    print(f"{100 * evaluation.accuracy:.2f} % of MNIST's training images, after {seconds:.0f} s")
    sheet(digits, evaluation.logits.argmax(1).numpy(), generated).save(args.sheet)


if __name__ == "__main__":
    main()
