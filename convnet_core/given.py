"""What the inputs of any model are fed with: arrays from files, or random ones of the declared types and shapes."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from convnet_core.errors import ConfigError, DataError, one_line
from convnet_core.tensors import Array, Feeds, TensorInfo, example_feeds, fixed_batch


@dataclass(frozen=True)
class Given:
    """What somebody says of a model's inputs, by name: files of samples, whole shapes, ranges of values."""

    files: dict[str, str] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """What `to_json` wrote."""
        shapes = {name: tuple(shape) for name, shape in value.get("shapes", {}).items()}
        ranges = {name: (low, high) for name, (low, high) in value.get("ranges", {}).items()}
        return cls(dict(value.get("files", {})), shapes, ranges)

    def shaped(self, inputs: Sequence[TensorInfo]) -> list[TensorInfo]:
        """The inputs in the shapes that were given. Raises ConfigError for a name or a rank that the model has not."""
        known = {info.name: info for info in inputs}
        for name in (*self.files, *self.shapes, *self.ranges):
            if name not in known:
                raise ConfigError(f"the model has no input {name!r}", hint=f"it has {', '.join(known)}")
        for name, shape in self.shapes.items():
            declared = known[name].shape
            if len(declared) != len(shape) or any(a not in (None, b) for a, b in zip(declared, shape, strict=True)):
                raise ConfigError(
                    f"the input {name!r} has the shape {list(declared)}, which {list(shape)} does not fit"
                )
        return [
            dataclasses.replace(info, shape=(info.shape[:1] + self.shapes[info.name][1:]))
            if info.name in self.shapes
            else info
            for info in inputs
        ]

    def samples(self, inputs: Sequence[TensorInfo], count: int, seed: int) -> Feeds:
        """`count` samples of every input, or as many as the files hold; a model of one batch size gets that many.

        Raises ConfigError and DataError.
        """
        shaped = self.shaped(inputs)
        from_files = {name: _read(Path(path), name) for name, path in self.files.items()}
        sizes = {len(array) for array in from_files.values() if array.ndim}
        if len(sizes) > 1:
            raise DataError(f"the files hold different numbers of samples: {', '.join(map(str, sorted(sizes)))}")
        count = fixed_batch(shaped) or (sizes.pop() if sizes else count)
        feeds = example_feeds(shaped, count, np.random.default_rng(seed))
        for name, (low, high) in self.ranges.items():
            feeds[name] = _stretched(feeds[name], low, high, np.random.default_rng(seed + 1))
        for name, array in from_files.items():
            info = next(info for info in shaped if info.name == name)
            if array.dtype != np.dtype(info.dtype) or array.shape[1:] != feeds[name].shape[1:]:
                raise DataError(
                    f"{self.files[name]} holds {array.dtype} {list(array.shape)}; the input {name!r} takes "
                    f"{info.dtype} [n, {', '.join(map(str, feeds[name].shape[1:]))}]"
                )
            feeds[name] = array
        return feeds


def fingerprint(feeds: Feeds) -> str:
    """SHA-256 of all samples."""
    found = hashlib.sha256()
    for name, array in sorted(feeds.items()):
        found.update(name.encode())
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def read_samples(path: Path) -> Feeds:
    """Samples by input name from an .npz file. Raises DataError."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except Exception as error:  # NumPy and zipfile have kinds of their own
        raise DataError(f"{path} cannot be read as .npz: {one_line(error)}") from error


def _read(path: Path, name: str) -> Array:
    try:
        array = np.load(path, allow_pickle=False)
    except Exception as error:  # NumPy has kinds of its own
        raise DataError(f"{path}, for the input {name!r}, cannot be read as .npy: {one_line(error)}") from error
    if not isinstance(array, np.ndarray) or not array.ndim:
        raise DataError(f"{path}, for the input {name!r}, holds no array of samples")
    return array


def _stretched(array: Array, low: float, high: float, rng: np.random.Generator) -> Array:
    """Values from low to high, both included for whole numbers."""
    if array.dtype.kind in "iu":
        return np.asarray(rng.integers(int(low), int(high), array.shape, endpoint=True), array.dtype)
    if array.dtype.kind == "b":
        return array
    return np.asarray(low + array.astype(np.float64) * (high - low), array.dtype)
