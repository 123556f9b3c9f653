"""Load training and test digits from any source as arrays in memory."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from convnet_core.config.stages import DataConfig
from convnet_core.data import strokes_cache
from convnet_core.data.sources import source_of
from convnet_core.data.split import Split
from convnet_core.errors import DataError
from convnet_core.events import Message, Monitor
from convnet_core.language import _


@dataclass(frozen=True)
class Digits:
    """A training and a test set.

    `fingerprint` is the SHA-256 of all bytes; `notes` say where the files differ from MNIST's format and how they were
    read.
    """

    name: str
    train: Split
    test: Split
    fingerprint: str
    notes: tuple[str, ...] = ()


def load(config: DataConfig, monitor: Monitor | None = None) -> Digits:
    """Load the data of a config. Generates or downloads it if needed, and caches it.

    Raises DataError, which names the file and the problem.
    """
    listener = monitor or Monitor()
    train, test, notes = source_of(config).read(config, listener)
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

    Raises DataError if they cannot be read.
    """
    data_set = source_of(config).files(config)
    try:
        files = [(file, file.stat()) for file in data_set.paths] if data_set else []
    except OSError as error:
        raise DataError(
            _("{data_set} cannot be read: {reason}", data_set=data_set, reason=error.strerror or error)
        ) from error
    return " ".join(f"{file}:{status.st_size}:{status.st_mtime_ns}" for file, status in files)


def train_count(config: DataConfig) -> int:
    """The number of training images if it is known without reading them, else MNIST's."""
    count = source_of(config).train_count(config) or strokes_cache.SIZES[0]
    return min(config.train_size or count, count)
