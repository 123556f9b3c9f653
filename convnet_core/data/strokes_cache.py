"""Generated digits, kept in the cache folder."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convnet_core.common.archives import check_archive
from convnet_core.common.files import cache_folder, new_id
from convnet_core.config.stages import DataConfig
from convnet_core.data import strokes
from convnet_core.data.split import CLASSES, SIDE, Split
from convnet_core.errors import DataError
from convnet_core.events import Monitor, Progress

SIZES = (60_000, 10_000)
"""Training and test images where the config names no number: as many as MNIST has."""
_HEADERS = 4096  # bytes, more than those of two arrays
_LEFTOVER_SECONDS = 3600.0  # what a killed process left in the cache


def read_or_generate(config: DataConfig, monitor: Monitor) -> tuple[Split, Split]:
    """The training and the test set of a config's seed and sizes. Raises DataError where they cannot be kept."""
    splits = []
    for part, (name, size, default) in enumerate(
        zip(("train", "test"), (config.train_size, config.test_size), SIZES, strict=True)
    ):
        splits.append(_cached(name, size or default, 2 * config.seed + part, monitor))
    return splits[0], splits[1]


def _cached(name: str, count: int, seed: int, monitor: Monitor) -> Split:
    path = cache_folder() / "strokes" / f"v{strokes.VERSION}-seed{seed}-{count}.npz"
    cached = read_cache(path, count)
    if cached is not None:
        return cached

    def tell(done: int, total: int) -> None:
        monitor.emit(Progress(label=f"drawing {name} digits", done=done, total=total, unit="images"))

    images, labels = strokes.generate(count, seed, progress=tell)
    _write_cache(path, images, labels)
    return Split(images, labels)


def read_cache(path: Path, count: int) -> Split | None:
    try:
        check_archive(path, count * (SIDE * SIDE + 1) + _HEADERS)
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
