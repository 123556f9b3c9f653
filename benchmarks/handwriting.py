"""What a network that was trained on generated handwriting misreads, beside the nearest digits that were generated.

    python -m benchmarks.handwriting SHEET.png --data-dir FOLDER [--preset accurate] [--off INGREDIENT ...]

A line for each of the commonest mistakes on MNIST's training images (the generator is tuned on these; the test set is
for the final figure): above, digits that were misread; below each, the generated one of its own kind that is closest
to it. Where those below look otherwise, a way of writing is missing. `--off` leaves ingredients of the hand out, to see
what they are worth.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

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
"""Each ingredient as if it were not there."""


def nearest(images: NDArray[np.uint8], drawn: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """For each image the drawn one with the least squared difference of pixels."""
    a, b = (item.reshape(len(item), -1).astype(np.float32) for item in (images, drawn))
    distance = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T
    return drawn[distance.argmin(1)]


def sheet(digits: Split, answers: NDArray[np.int64], drawn: Split) -> Image.Image:
    """The commonest mistakes, a pair of lines each."""
    wrong = answers != digits.labels
    pairs, counts = np.unique(np.stack([digits.labels[wrong], answers[wrong]]), axis=1, return_counts=True)
    lines = []
    for place in counts.argsort()[::-1][:_LINES]:
        truth, answer = pairs[:, place]
        found = digits.images[(digits.labels == truth) & (answers == answer)][:_ACROSS]
        print(f"{truth} read as {answer}: {counts[place]} times")
        both = np.stack([found, nearest(found, drawn.images[drawn.labels == truth])])
        both = np.pad(both, ((0, 0), (0, _ACROSS - len(found)), (1, 1), (1, 1)))
        lines.append(both.transpose(0, 2, 1, 3).reshape(2 * 30, _ACROSS * 30))
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
    hand = dataclasses.replace(Hand(), **{name: PLAIN[name] for name in args.off})
    drawn = Split(*generate(60_000, 0, hand))
    digits = data.load(DataConfig(source="mnist", folder=args.data_dir)).train
    model, seconds = our_loop(PRESETS[args.preset].replace(device="cpu"), Tensors.of(drawn))
    found = loop.evaluate(model, Tensors.of(digits))
    print(f"{100 * found.accuracy:.2f} % of MNIST's training images, after {seconds:.0f} s")
    sheet(digits, found.logits.argmax(1).numpy(), drawn).save(args.sheet)


if __name__ == "__main__":
    main()
