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
from convnet_core.tensors import Array, Feeds, TensorInfo, batched, example_feeds, fixed_batch


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

    def shaped(self, inputs: Sequence[TensorInfo], files: Feeds | None = None) -> list[TensorInfo]:
        """The inputs in the shapes that were given; dimensions of one name get one size, also from `files`.

        Raises ConfigError for a name or a rank that the model has not.
        """
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
        seen = {**{name: array.shape for name, array in (files or {}).items()}, **self.shapes}
        sizes = {
            symbol: size
            for name, shape in seen.items()
            for symbol, size in zip(known[name].symbols, shape, strict=False)
            if symbol
        }
        return [self._shaped(info, sizes) for info in inputs]

    def _shaped(self, info: TensorInfo, sizes: dict[str, int]) -> TensorInfo:
        """One input in its given shape, or with the `sizes` that another's gave to dimensions of the same name."""
        shape = self.shapes.get(info.name)
        if shape is None and info.symbols:
            pairs = zip(info.shape, info.symbols, strict=True)
            shape = tuple(sizes.get(symbol) if size is None else size for size, symbol in pairs)  # type: ignore[misc]
        return info if shape is None else dataclasses.replace(info, shape=shape)

    def samples(self, inputs: Sequence[TensorInfo], count: int, seed: int) -> Feeds:
        """`count` samples of every input, or as many as the files hold; a model of one batch size gets that many.

        Raises ConfigError and DataError.
        """
        self.shaped(inputs)  # a wrong name is an error before any file is read
        from_files = {name: _read(Path(path), name) for name, path in self.files.items()}
        shaped = self.shaped(inputs, from_files)
        names = batched(inputs)
        sizes = {len(array) for name, array in from_files.items() if name in names and array.ndim}
        if len(sizes) > 1:
            raise DataError(f"the files hold different numbers of samples: {', '.join(map(str, sorted(sizes)))}")
        count = fixed_batch(shaped) or (sizes.pop() if sizes else count)
        feeds = example_feeds(shaped, count, np.random.default_rng(seed))
        for name, (low, high) in self.ranges.items():
            feeds[name] = _stretched(feeds[name], low, high, np.random.default_rng(seed + 1))
        for name, array in from_files.items():
            info = next(info for info in shaped if info.name == name)
            fits = array.ndim == feeds[name].ndim and array.shape[1:] == feeds[name].shape[1:]
            if (
                array.dtype != np.dtype(info.dtype)
                or not fits
                or (name not in names and array.shape != feeds[name].shape)
            ):
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


def read_samples(path: Path, inputs: Sequence[TensorInfo]) -> Feeds:
    """Samples [n, ...] of every input from an .npz file, by name; what else it holds is left. Raises DataError."""
    try:
        with np.load(path, allow_pickle=False) as file:
            feeds = {name: file[name] for name in file.files}
    except Exception as error:  # NumPy and zipfile have kinds of their own
        raise DataError(f"{path} cannot be read as .npz: {one_line(error)}") from error
    for info in inputs:
        if info.name not in feeds:
            names = ", ".join(map(repr, feeds)) or "no arrays at all"
            raise DataError(
                f"{path} has no samples of the input {info.name!r}", hint=f"it holds {names}; np.savez writes by name"
            )
        _check(feeds[info.name], info, path)
    with_batch = batched(inputs)
    counts = {info.name: len(feeds[info.name]) for info in inputs if info.name in with_batch}
    if len(set(counts.values())) > 1:
        said = ", ".join(f"{count} of {name!r}" for name, count in counts.items())
        raise DataError(f"{path} holds different numbers of samples: {said}")
    if (least := fixed_batch(inputs) or 0) > min(counts.values(), default=least):
        raise DataError(f"{path} holds {min(counts.values())} samples, and the model takes batches of {least}")
    return {info.name: feeds[info.name] for info in inputs}


def _check(array: Array, info: TensorInfo, path: Path) -> None:
    """Raises DataError where an array is no samples of an input."""
    fits = array.ndim == len(info.shape) and all(
        declared in (None, size) for declared, size in zip(info.shape[1:], array.shape[1:], strict=True)
    )
    if array.dtype.name != info.dtype or not fits:
        declared = ", ".join("any" if size is None else str(size) for size in info.shape[1:])
        raise DataError(
            f"{path} holds {array.dtype} {list(array.shape)} for the input {info.name!r}, which takes "
            f"{info.dtype} [n, {declared}]"
        )
    if info.shape and info.shape[0] != 0 and not len(array):
        raise DataError(f"{path} holds no samples of the input {info.name!r}: its array is empty")


def _read(path: Path, name: str) -> Array:
    try:
        array = np.load(path, allow_pickle=False)
    except Exception as error:  # NumPy has kinds of its own
        raise DataError(f"{path}, for the input {name!r}, cannot be read as .npy: {one_line(error)}") from error
    if not isinstance(array, np.ndarray):
        raise DataError(f"{path}, for the input {name!r}, holds no array of samples")
    return array


def _stretched(array: Array, low: float, high: float, rng: np.random.Generator) -> Array:
    """Values from low to high, both included for whole numbers."""
    if array.dtype.kind in "iu":
        return np.asarray(rng.integers(int(low), int(high), array.shape, endpoint=True), array.dtype)
    if array.dtype.kind == "b":
        return array
    return np.asarray(low + array.astype(np.float64) * (high - low), array.dtype)
