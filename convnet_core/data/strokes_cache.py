"""Synthetic digits, cached in the cache folder."""

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
from convnet_core.language import _

SIZES = (60_000, 10_000)
"""Default numbers of training and test images, the same as in MNIST."""
_HEADERS = 4096  # bytes; more than the headers of two arrays
_LEFTOVER_SECONDS = 3600.0  # age from which a draft in the cache was left by a killed process


def read_or_generate(config: DataConfig, monitor: Monitor) -> tuple[Split, Split]:
    """The training and test set for a config's seed and sizes. Raises DataError if they cannot be cached."""
    splits = []
    for part, (name, size, default) in enumerate(
        zip(("training", "test"), (config.train_size, config.test_size), SIZES, strict=True)
    ):
        splits.append(_load_split(name, size or default, 2 * config.seed + part, monitor))
    return splits[0], splits[1]


def _load_split(name: str, count: int, seed: int, monitor: Monitor) -> Split:
    path = cache_folder() / "strokes" / f"v{strokes.VERSION}-seed{seed}-{count}.npz"
    cached = read_cache(path, count)
    if cached is not None:
        return cached

    def report(done: int, total: int) -> None:
        monitor.emit(Progress(label=_("drawing {name} digits", name=name), done=done, total=total, unit=_("images")))

    images, labels = strokes.generate(count, seed, progress=report)
    _write_cache(path, images, labels)
    return Split(images, labels)


def read_cache(path: Path, count: int) -> Split | None:
    try:
        check_archive(path, count * (SIDE * SIDE + 1) + _HEADERS)
        with np.load(path, allow_pickle=False) as file:
            images, labels = file["images"], file["labels"]
        shapes_match = images.shape == (count, SIDE, SIDE) and labels.shape == (count,)
        valid = shapes_match and images.dtype == labels.dtype == np.uint8 and labels.max(initial=0) < CLASSES
    except Exception:  # zipfile, zlib and NumPy raise many exception types
        return None  # missing or damaged; generate it again
    return Split(images, labels) if valid else None


def _write_cache(path: Path, images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> None:
    draft = path.with_name(f".{path.stem}.{new_id()}.npz")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for other in path.parent.glob(f".{path.stem}.*.npz"):
            with contextlib.suppress(FileNotFoundError):  # another process or thread has just renamed it
                if time.time() - other.stat().st_mtime > _LEFTOVER_SECONDS:
                    other.unlink()
        np.savez(draft, images=images, labels=labels)
        os.replace(draft, path)
    except OSError as error:
        raise DataError(
            _(
                "cannot cache the generated digits in {folder}: {reason}",
                folder=path.parent,
                reason=error.strerror or error,
            ),
            hint=_("set CONVNET_CACHE_DIR to a writable folder"),
        ) from error
    finally:
        draft.unlink(missing_ok=True)
