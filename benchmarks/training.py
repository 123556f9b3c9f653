"""The training loop against the one that everybody writes, side by side: images per second.

Reference loop: torchvision's MNIST with ToTensor, DataLoader, eager Adam, batch 50. Ours: the same recipe
(preset `reference`). The two take turns in one process, so that a busy machine is busy for both.

    python -m benchmarks.training --data-dir FOLDER [--images 12000] [--repeats 5] [--accuracy]

`--accuracy` measures instead, on the test set: the reference loop's five epochs, and each preset over
its seeds.
"""

from __future__ import annotations

import argparse
import gzip
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, Subset
from torchvision import datasets, transforms

from convnet_core import data, training
from convnet_core.config import PRESETS, DataConfig, TrainConfig
from convnet_core.events import Monitor
from convnet_core.model import build
from convnet_core.training import Tensors

CPU = torch.device("cpu")


def torchvision_root(folder: Path, into: Path) -> Path:
    """A root that torchvision's MNIST reads: the raw files in MNIST/raw."""
    raw = into / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for path in folder.glob("*ubyte.gz"):
        with gzip.open(path) as source, (raw / path.stem).open("wb") as target:
            shutil.copyfileobj(source, target)
    return into


def reference_loop(model: nn.Module, loader: DataLoader[tuple[torch.Tensor, torch.Tensor]], epochs: int) -> float:
    """The loop of the original recipe; seconds."""
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    criterion = nn.CrossEntropyLoss()
    began = time.monotonic()
    for _ in range(epochs):
        model.train()
        for images, labels in loader:
            loss = criterion(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return time.monotonic() - began


def our_loop(config: TrainConfig, train: Tensors) -> tuple[nn.Module, float]:
    """Our loop; the network and the seconds."""
    state = training.begin(build(config.model, config.seed), config, CPU)
    part, held = training.split_off_validation(train, config)
    began = time.monotonic()
    training.fit(state, part, held, config, Monitor())
    return state.model, time.monotonic() - began


def speed(digits: data.Digits, theirs: datasets.MNIST, images: int, repeats: int) -> None:
    """Print images per second of both, and the ratio with its spread."""
    config = PRESETS["reference"].replace(epochs=1, device="cpu")
    loader = DataLoader(Subset(theirs, range(images)), batch_size=50, shuffle=True)
    part = Tensors.of(digits.train.first(images))
    ratios, speeds = [], []
    for repeat in range(repeats + 1):
        slow = reference_loop(build(config.model, repeat), loader, 1)
        fast = our_loop(config.replace(seed=repeat), part)[1]
        if repeat:  # the first warms up
            ratios.append(slow / fast)
            speeds.append((images / slow, images / fast))
            print(
                f"  reference {images / slow:7.0f} images/s   ours {images / fast:7.0f} images/s   {slow / fast:.2f} ×",
                flush=True,
            )
    print(
        f"reference loop {statistics.median(s for s, _ in speeds):.0f} images/s, ours "
        f"{statistics.median(f for _, f in speeds):.0f} images/s: {statistics.median(ratios):.2f} × "
        f"(from {min(ratios):.2f} to {max(ratios):.2f}, {repeats} repetitions)"
    )


def accuracy(digits: data.Digits, strokes: data.Digits, theirs: datasets.MNIST) -> None:
    """Print test accuracies: the reference loop, each preset on MNIST, strokes to MNIST."""
    train, test, drawn = Tensors.of(digits.train), Tensors.of(digits.test), Tensors.of(strokes.train)
    torch.manual_seed(0)
    model = build(PRESETS["reference"].model, 0)
    seconds = reference_loop(model, DataLoader(theirs, batch_size=50, shuffle=True), 5)
    print(
        f"reference loop, 5 epochs, 1 seed: {100 * training.evaluate(model, test).accuracy:.2f} % in {seconds:.0f} s",
        flush=True,
    )
    for name, source, seeds in (
        ("reference", train, 3),
        ("fast", train, 5),
        ("accurate", train, 1),
        ("reference", drawn, 3),
        ("fast", drawn, 3),
    ):
        found = []
        for seed in range(seeds):
            config = PRESETS[name].replace(seed=seed, device="cpu")
            model, seconds = our_loop(config, source)
            found.append(100 * training.evaluate(model, test).accuracy)
        on = "MNIST" if source is train else "strokes, read on MNIST"
        print(
            f"{name} on {on}, {seeds} seeds: mean {statistics.mean(found):.2f} % "
            f"({', '.join(f'{value:.2f}' for value in found)}), {seconds:.0f} s each",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", default="", help="MNIST's IDX files, gzip; default $CONVNET_DATA_DIR")
    parser.add_argument("--images", type=int, default=12_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--accuracy", action="store_true")
    args = parser.parse_args()
    config = DataConfig(source="mnist", folder=args.data_dir)
    digits = data.load(config)
    with tempfile.TemporaryDirectory() as folder:
        root = torchvision_root(data.mnist_folder(config), Path(folder))
        theirs = datasets.MNIST(root, train=True, transform=transforms.ToTensor())
        if args.accuracy:
            accuracy(digits, data.load(DataConfig()), theirs)
        else:
            speed(digits, theirs, args.images, args.repeats)


if __name__ == "__main__":
    main()
