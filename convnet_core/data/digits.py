"""Digits to train and test on, whatever their source, as arrays in memory."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convnet_core.common.archives import bounded
from convnet_core.common.files import cache_folder, new_id
from convnet_core.config.stages import DataConfig
from convnet_core.data import folder, mnist, strokes
from convnet_core.data.location import mnist_folder
from convnet_core.data.split import CLASSES, SIDE, Split
from convnet_core.errors import DataError
from convnet_core.events import Message, Monitor, Progress

STROKES_SIZES = (60_000, 10_000)
_HEADERS = 4096  # bytes, more than those of two arrays
_LEFTOVER_SECONDS = 3600.0  # what a killed process left in the cache


@dataclass(frozen=True)
class Digits:
    """A training and a test set.

    `fingerprint` is the SHA-256 of all their bytes; each of `notes` says what in the files was not as MNIST has it,
    and how it was read.
    """

    name: str
    train: Split
    test: Split
    fingerprint: str
    notes: tuple[str, ...] = ()


def load(config: DataConfig, monitor: Monitor | None = None) -> Digits:
    """The data of a config; generated or downloaded where it must be, and then cached.

    Raises DataError, in one line that names the file and what is wrong with it.
    """
    listener = monitor or Monitor()
    notes: list[str] = []
    match config.source:
        case "strokes":
            train, test = _strokes(config, listener)
        case "mnist":
            train, test, notes = mnist.read_or_download(mnist_folder(config), listener)
        case _:
            train, test, notes = mnist.read_path(Path(config.source))
    for note in notes:
        listener.emit(Message(text=note))
    train, test = train.first(config.train_size), test.first(config.test_size)
    digest = hashlib.sha256()
    for split in (train, test):
        digest.update(split.images.tobytes())
        digest.update(split.labels.tobytes())
    return Digits(Path(config.source).name, train, test, digest.hexdigest(), tuple(notes))


def stamp(config: DataConfig) -> str:
    """A text that changes when the files of a config do; empty for generated digits.

    Raises DataError where they cannot be looked at.
    """
    if config.source == "strokes":
        return ""
    is_mnist = config.source == "mnist"
    found = folder.find(mnist_folder(config) if is_mnist else Path(config.source), mnist=is_mnist)
    try:
        files = [(file, file.stat()) for file in found.paths] if found else []
    except OSError as error:
        raise DataError(f"{found} cannot be read: {error.strerror or error}") from error
    return " ".join(f"{file}:{status.st_size}:{status.st_mtime_ns}" for file, status in files)


def train_count(config: DataConfig) -> int:
    """How many training images there are, as far as can be told without reading them; else as many as MNIST has."""
    count = STROKES_SIZES[0]
    if config.source not in ("strokes", "mnist"):
        count = mnist.train_count(Path(config.source)) or count
    return min(config.train_size or count, count)


def _strokes(config: DataConfig, monitor: Monitor) -> tuple[Split, Split]:
    splits = []
    for part, (name, size, default) in enumerate(
        zip(("train", "test"), (config.train_size, config.test_size), STROKES_SIZES, strict=True)
    ):
        splits.append(_cached_strokes(name, size or default, 2 * config.seed + part, monitor))
    return splits[0], splits[1]


def _cached_strokes(name: str, count: int, seed: int, monitor: Monitor) -> Split:
    path = cache_folder() / "strokes" / f"v{strokes.VERSION}-seed{seed}-{count}.npz"
    cached = _read_cache(path, count)
    if cached is not None:
        return cached

    def tell(done: int, total: int) -> None:
        monitor.emit(Progress(label=f"drawing {name} digits", done=done, total=total, unit="images"))

    images, labels = strokes.generate(count, seed, progress=tell)
    _write_cache(path, images, labels)
    return Split(images, labels)


def _read_cache(path: Path, count: int) -> Split | None:
    try:
        bounded(path, count * (SIDE * SIDE + 1) + _HEADERS)
        with np.load(path, allow_pickle=False) as file:
            images, labels = file["images"], file["labels"]
        shapes = images.shape == (count, SIDE, SIDE) and labels.shape == (count,)
        whole = shapes and images.dtype == labels.dtype == np.uint8 and labels.max(initial=0) < CLASSES
    except Exception:  # zipfile, zlib and NumPy each have kinds of their own; what is no array has no shape
        return None  # not there, or damaged: it is made again
    return Split(images, labels) if whole else None


def _write_cache(path: Path, images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> None:
    draft = path.with_name(f".{path.stem}.{new_id()}.npz")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for other in path.parent.glob(f".{path.stem}.*.npz"):
            with contextlib.suppress(FileNotFoundError):  # another process or thread has just finished its own
                if time.time() - other.stat().st_mtime > _LEFTOVER_SECONDS:
                    other.unlink()
        np.savez(draft, images=images, labels=labels)
        os.replace(draft, path)
    except OSError as error:
        raise DataError(
            f"cannot keep the generated digits in {path.parent}: {error.strerror or error}",
            hint="set CONVNET_CACHE_DIR to a folder that can be written",
        ) from error
    finally:
        draft.unlink(missing_ok=True)
