"""How well the sketchpad's doubt tells digits from what is none: `python -m benchmarks.doubt RUN…`.

For the network of each run, prints the share that is doubted of digits, letters, scribbles, dots and pairs of digits
(testing/not_digits.py), on the seeds that the settings in `runtimes/doubt.py` were chosen on and on others, beside
scores that need no training. Each score's threshold doubts 2 % of 3,000 generated digits. The exit status is 1 if, on
the other seeds, more than 2 % of the digits on the pad or less than 80 % of any other set on the pad are doubted.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from convnet_core.data import strokes
from convnet_core.data.drawing import prepare
from convnet_core.data.not_digits import CALM
from convnet_core.data.pen import render, strokes_of
from convnet_core.errors import DataError
from convnet_core.networks.convnet import from_weights
from convnet_core.networks.weights import read_weights
from convnet_core.runs.run import Run
from convnet_core.runtimes.doubt import Doubt
from testing import not_digits

Images = NDArray[np.float32]
Score = Callable[[Images], NDArray[np.float32]]

_COUNT = 500
_CHOSEN, _OTHER = 1, 3  # 2 and 3 were seen, too, when the number of images to learn from was doubled
_MOST_DIGITS, _LEAST_OTHERS = 0.02, 0.8  # what the network of the preset `accurate` must reach
_DIGITS = "digits on the pad"
_ON_PAD: dict[str, Callable[[np.random.Generator], Any]] = {
    _DIGITS: not_digits.drawn_digit,
    "letters on the pad": not_digits.drawn_letter,
    "scribbles": not_digits.scribble,
    "pairs of digits": not_digits.pair,
    "dots": not_digits.dot,
}


def scaled(images: NDArray[np.uint8]) -> Images:
    """The networks' input, float32 [n, 1, 28, 28]."""
    return images[:, None].astype(np.float32) / np.float32(255)


def image_sets(seed: int) -> dict[str, tuple[Images, int]]:
    """Each set by name: its images, and how many more the pad itself refuses, as it does two digits apart."""
    sets = {
        "digits": (scaled(strokes.generate(_COUNT, 1000 + seed)[0]), 0),
        "digits drawn with care": (scaled(strokes.generate(_COUNT, 2000 + seed, CALM)[0]), 0),
        "letters": (scaled(not_digits.letters(_COUNT, seed)[0]), 0),
    }
    for name, draw in _ON_PAD.items():
        rng, images = np.random.default_rng([seed, len(name)]), []
        for _ in range(_COUNT):
            try:
                images.append(prepare(render(strokes_of(draw(rng)))))
            except DataError:
                continue
        sets[name] = (np.stack(images)[:, None], _COUNT - len(images))
    return sets


def scores(network: torch.nn.Module) -> dict[str, Score]:
    """Ours, and three that need no training: high is doubt."""

    def logits(images: Images) -> torch.Tensor:
        with torch.inference_mode():
            parts = (torch.from_numpy(images[first : first + 500]) for first in range(0, len(images), 500))
            return torch.cat([network(part) for part in parts])

    def of(score: Callable[[torch.Tensor], torch.Tensor]) -> Score:
        return lambda images: np.asarray(score(logits(images)).numpy())

    return {
        "outlier exposure (ours)": Doubt.learn(network).scores,
        "probability": of(lambda values: -values.softmax(1).amax(1)),
        "margin of the logits": of(lambda values: -(values.topk(2).values.diff(dim=1)[:, 0].neg())),
        "energy": of(lambda values: -values.logsumexp(1)),
    }


def doubted(score: Score, limit: float, images: Images, refused: int) -> float:
    """The share of a set that is doubted."""
    return float(((score(images) > limit).sum() + refused) / (len(images) + refused))


def misses(shares: dict[str, float]) -> list[str]:
    """What is wrong with the shares that are doubted of the sets on the pad, by name."""
    return [
        f"{name}: {100 * shares[name]:.1f} % doubted"
        for name in _ON_PAD
        if (shares[name] > _MOST_DIGITS if name == _DIGITS else shares[name] < _LEAST_OTHERS)
    ]


def main() -> int:
    torch.set_num_threads(1)
    chosen, other = image_sets(_CHOSEN), image_sets(_OTHER)
    reference = scaled(strokes.generate(3000, 500)[0])
    missed: list[str] = []
    for folder in sys.argv[1:]:
        run = Run.open(Path(folder))
        _, network = from_weights(read_weights(run.file("export/model.safetensors")), folder)
        print(f"\n{run.name}, % doubted (seeds of the choice / other seeds)\n{'':<26}", *(f"{n:>24}" for n in chosen))
        for name, score in scores(network).items():
            ours = "ours" in name
            limit = 0.0 if ours else float(np.quantile(score(reference), 0.98))
            first, second = ({key: doubted(score, limit, *images[key]) for key in images} for images in (chosen, other))
            shares = [f"{100 * first[key]:.1f} / {100 * second[key]:.1f}" for key in chosen]
            print(f"{name:<26}", *(f"{share:>24}" for share in shares), flush=True)
            missed += [f"{run.name}: {miss}" for miss in (misses(second) if ours else [])]
    print("\n" + ("\n".join(["not good enough", *missed]) if missed else "good enough"))
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
