"""Accuracies: means over seeds, on test sets never used for tuning.

    python -m benchmarks.accuracy --data-dir FOLDER [--only NAME ...]

`precision`: the reference recipe in float32 and in bfloat16, ten seeds each. `mnist`: each preset on MNIST. `strokes`:
trained only on generated handwriting, tested on MNIST's test set. The generator was tuned on MNIST's training images.
"""

from __future__ import annotations

import argparse
import statistics

from benchmarks.training import our_loop
from benchmarks.turns import Row, merge_rows, save
from convnet_core.config.stages import PRESETS, DataConfig, TrainConfig
from convnet_core.data import digits as data
from convnet_core.training import loop
from convnet_core.training.loop import Tensors

_WITHIN = 0.1
"""Largest difference, in percentage points, between means that count as the same accuracy."""


def accuracies(config: TrainConfig, train: Tensors, test: Tensors, seeds: int) -> list[float]:
    """Test accuracy in percent, for each seed."""
    results = []
    for seed in range(seeds):
        model, seconds = our_loop(config.replace(seed=seed, device="cpu"), train)
        results.append(100 * loop.evaluate(model, test).accuracy)
        print(f"  seed {seed}: {results[-1]:.2f} % in {seconds:.0f} s", flush=True)
    return results


def row(what: str, against: str, values: list[float], least: float | None) -> Row:
    """A row with the mean, the worst and the best seed; `least` is the target."""
    mean = statistics.mean(values)
    target, met = ("–", None) if least is None else (f"≥ {least:g} %", mean >= least)
    return Row(what, against, mean, min(values), max(values), "%", target, met, f"mean of {len(values)} seeds")


def precision(mnist: Tensors, strokes: Tensors, test: Tensors) -> list[Row]:
    recipe = PRESETS["reference"]
    full, short = (accuracies(recipe.replace(precision=name), mnist, test, 10) for name in ("float32", "bfloat16"))
    gap = statistics.mean(short) - statistics.mean(full)
    gaps = [one - other for one, other in zip(short, full, strict=True)]
    return [
        row("the reference recipe, float32", "MNIST's test set", full, None),
        row("the reference recipe, bfloat16", "MNIST's test set", short, None),
        Row("bfloat16 − float32, the reference recipe", "MNIST's test set", gap, min(gaps), max(gaps), "%",
            f"within ± {_WITHIN} points", abs(gap) <= _WITHIN, "difference of the means of 10 seeds"),
    ]  # fmt: skip


def on_mnist(mnist: Tensors, strokes: Tensors, test: Tensors) -> list[Row]:
    return [
        row(f"preset `{name}`", "MNIST's test set", accuracies(PRESETS[name], mnist, test, 5), least)
        for name, least in (("fast", 97.66), ("accurate", 99.5))
    ]


def on_strokes(mnist: Tensors, strokes: Tensors, test: Tensors) -> list[Row]:
    return [
        row(f"preset `{name}` on strokes alone", "MNIST's test set", accuracies(PRESETS[name], strokes, test, 5), least)
        for name, least in (("reference", 93.0), ("fast", 93.0), ("accurate", 98.0), ("sample", 98.0))
    ]


PARTS = {"precision": precision, "strokes": on_strokes, "mnist": on_mnist}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", default="", help="MNIST's IDX files, gzip; default $CONVNET_DATA_DIR")
    parser.add_argument("--only", nargs="*", choices=list(PARTS), default=list(PARTS))
    args = parser.parse_args()
    digits = data.load(DataConfig(source="mnist", folder=args.data_dir))
    drawn = Tensors.of(data.load(DataConfig()).train)
    for name in args.only:
        print(f"{name}:")
        rows = PARTS[name](Tensors.of(digits.train), drawn, Tensors.of(digits.test))
        save("accuracy", merge_rows("accuracy", rows))


if __name__ == "__main__":
    main()
