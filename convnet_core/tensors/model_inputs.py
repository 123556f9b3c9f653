"""Samples for the inputs of any model: arrays from files, or random arrays of the declared types and shapes."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from convnet_core.common.archives import check_archive
from convnet_core.common.formatting import list_words
from convnet_core.errors import ConfigError, DataError, one_line
from convnet_core.language import _
from convnet_core.tensors.arrays import Array, Bounds, Feeds, TensorInfo, batched, example_feeds, fixed_batch


@dataclass(frozen=True)
class InputSpec:
    """The user's choices for a model's inputs, by input name: files of samples, full shapes, ranges of values."""

    files: dict[str, str] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Parse what `to_json` wrote."""
        shapes = {name: tuple(shape) for name, shape in value.get("shapes", {}).items()}
        ranges = {name: (low, high) for name, (low, high) in value.get("ranges", {}).items()}
        return cls(dict(value.get("files", {})), shapes, ranges)

    def arguments(self) -> list[str]:
        """The flags of the command line that make the same choices."""
        files = (("--input", name, path) for name, path in self.files.items())
        shapes = (("--shape", name, ",".join(map(str, shape))) for name, shape in self.shapes.items())
        ranges = (("--range", name, f"{low},{high}") for name, (low, high) in self.ranges.items())
        return [text for flag, name, value in (*files, *shapes, *ranges) for text in (flag, f"{name}={value}")]

    def apply_shapes(self, inputs: Sequence[TensorInfo], files: Feeds | None = None) -> list[TensorInfo]:
        """The inputs with these shapes and ranges; dimensions of one name get one size, also from `files`.

        Raises ConfigError for an unknown input, or a shape that does not fit.
        """
        infos = {info.name: info for info in inputs}
        for name in (*self.files, *self.shapes, *self.ranges):
            if name not in infos:
                raise ConfigError(
                    _("the model has no input {name!r}", name=name), hint=_("it has {names}", names=list_words(infos))
                )
        for name, shape in self.shapes.items():
            declared = infos[name].shape
            if len(declared) != len(shape) or any(a not in (None, b) for a, b in zip(declared, shape, strict=True)):
                raise ConfigError(
                    _(
                        "the input {name!r} has the shape {declared}, which {shape} does not fit",
                        name=name,
                        declared=list(declared),
                        shape=list(shape),
                    )
                )
        shapes = {**{name: array.shape for name, array in (files or {}).items()}, **self.shapes}
        names, sizes = batched(inputs), dict[str, int]()
        for name, shape in shapes.items():
            for axis, (symbol, size) in enumerate(zip(infos[name].symbols, shape, strict=False)):
                if not symbol or (axis == 0 and name in names):
                    continue
                if sizes.setdefault(symbol, size) != size:
                    raise ConfigError(
                        _(
                            "the dimension {symbol!r} must have one size in all inputs, not {first} and {second}",
                            symbol=symbol,
                            first=sizes[symbol],
                            second=size,
                        )
                    )
        return [self._apply_shape(info, sizes, info.name in names) for info in inputs]

    def _apply_shape(self, info: TensorInfo, sizes: dict[str, int], has_batch: bool) -> TensorInfo:
        """One input with its shape from `shapes`, or with the `sizes` of its named dimensions.

        A dynamic batch stays dynamic: the number of samples is decided separately.
        """
        shape: tuple[int | None, ...] = self.shapes.get(info.name, ())
        if not shape:
            symbols = info.symbols or ("",) * len(info.shape)
            pairs = zip(info.shape, symbols, strict=True)
            shape = tuple(sizes.get(symbol) if size is None else size for size, symbol in pairs)
        if has_batch and info.shape[0] is None:
            shape = (None, *shape[1:])
        return dataclasses.replace(info, shape=shape, bounds=self._bounds(info))

    def _bounds(self, info: TensorInfo) -> Bounds | None:
        """The range of an integer input as bounds. Floats need none: `samples` scales them to their range."""
        if info.name not in self.ranges:
            return info.bounds
        low, high = self.ranges[info.name]
        return Bounds((int(low),), (int(high),)) if info.dtype.startswith(("int", "uint")) else None

    def samples(self, inputs: Sequence[TensorInfo], count: int, seed: int) -> Feeds:
        """`count` samples of each input, or as many as the files have, or one batch if the batch size is fixed.

        Raises ConfigError and DataError.
        """
        self.apply_shapes(inputs)  # reports a wrong name before reading any file
        from_files = {name: _read(Path(path), name) for name, path in self.files.items()}
        infos = self.apply_shapes(inputs, from_files)
        names = batched(inputs)
        sizes = {len(array) for name, array in from_files.items() if name in names and array.ndim}
        if len(sizes) > 1:
            raise DataError(
                _("the files have different numbers of samples: {sizes}", sizes=list_words(map(str, sorted(sizes))))
            )
        fixed = fixed_batch(infos)
        batch = fixed if fixed is not None else sizes.pop() if sizes else count
        feeds = example_feeds(infos, batch, np.random.default_rng(seed))
        for name, (low, high) in self.ranges.items():
            feeds[name] = _scale(feeds[name], low, high)
        for name, array in from_files.items():
            info = next(info for info in infos if info.name == name)
            _check(array, info, self.files[name], whole=name not in names)
            feeds[name] = array
        return feeds


def draw_samples(input_spec: InputSpec, inputs: Sequence[TensorInfo], count: int, seed: int) -> Feeds:
    """About `count` samples, also for a model with a fixed batch size, or as many as the files have.

    Raises ConfigError and DataError.
    """
    names, fixed = batched(inputs), fixed_batch(inputs)
    first = input_spec.samples(inputs, count, seed)
    if input_spec.files or not fixed or not names:
        return first
    rounds = [first, *(input_spec.samples(inputs, count, seed + place) for place in range(1, max(1, count // fixed)))]
    return {
        name: np.concatenate([feeds[name] for feeds in rounds]) if name in names else array
        for name, array in first.items()
    }


def fingerprint(feeds: Feeds) -> str:
    """SHA-256 of all samples, as hex."""
    sha256 = hashlib.sha256()
    for name, array in sorted(feeds.items()):
        sha256.update(f"{name} {array.dtype} {array.shape}".encode())
        # The bytes of a string array are addresses, which differ between processes.
        content = (
            json.dumps(array.tolist()).encode() if array.dtype.kind == "O" else np.ascontiguousarray(array).tobytes()
        )
        sha256.update(content)
    return sha256.hexdigest()


def read_samples(path: Path, inputs: Sequence[TensorInfo]) -> Feeds:
    """Samples [n, ...] of each input from an .npz file, by name. Ignores its other arrays. Raises DataError."""
    try:
        check_archive(path)
        with np.load(path, allow_pickle=False) as file:
            array_names = list(file.files)
            feeds = {info.name: file[info.name] for info in inputs if info.name in array_names}
        if not all(isinstance(item, np.ndarray) for item in feeds.values()):
            raise ValueError("one of its members is not an array")
    except Exception as error:  # NumPy and zipfile raise many exception types
        raise DataError(
            _("{path} cannot be read as .npz: {reason}", path=path, reason=one_line(error)),
            hint=_("write it with np.savez; a compressed file may unpack to at most 200 MB or four times its size"),
        ) from error
    with_batch = batched(inputs)
    for info in inputs:
        if info.name not in feeds:
            names = list_words(map(repr, array_names)) or _("no arrays")
            raise DataError(
                _("{path} has no samples for the input {name!r}", path=path, name=info.name),
                hint=_("it has {names}; pass the arrays to np.savez by input name", names=names),
            )
        _check(feeds[info.name], info, path, whole=info.name not in with_batch)
    counts = {info.name: len(feeds[info.name]) for info in inputs if info.name in with_batch}
    if len(set(counts.values())) > 1:
        text = list_words(_("{count} of {name!r}", count=count, name=name) for name, count in counts.items())
        raise DataError(_("{path} has different numbers of samples: {text}", path=path, text=text))
    if (batch := fixed_batch(inputs) or 0) > min(counts.values(), default=batch):
        raise DataError(
            _(
                "{path} has {count} samples, but the model takes batches of {batch}",
                path=path,
                count=min(counts.values()),
                batch=batch,
            )
        )
    return feeds


def _check(array: Array, info: TensorInfo, path: Path | str, *, whole: bool) -> None:
    """Raises DataError if an array does not fit an input; `whole` if its first dimension is not the batch."""
    first = 0 if whole else 1
    fits = array.ndim == len(info.shape) and all(
        declared in (None, size) for declared, size in zip(info.shape[first:], array.shape[first:], strict=True)
    )
    if array.dtype.name != info.dtype or not fits:
        declared = ["n"] if first and info.shape else []
        declared += [_("any") if size is None else str(size) for size in info.shape[first:]]
        raise DataError(
            _(
                "{path} has {given} for the input {name!r}, which takes {taken}",
                path=path,
                given=f"{array.dtype} {list(array.shape)}",
                name=info.name,
                taken=f"{info.dtype} [{', '.join(declared)}]",
            )
        )
    if info.shape and info.shape[0] != 0 and not len(array):
        raise DataError(
            _("{path} has no samples for the input {name!r}: its array is empty", path=path, name=info.name)
        )


def _read(path: Path, name: str) -> Array:
    try:
        array = np.load(path, allow_pickle=False)
    except Exception as error:  # NumPy raises many exception types
        raise DataError(
            _(
                "{path}, for the input {name!r}, cannot be read as .npy: {reason}",
                path=path,
                name=name,
                reason=one_line(error),
            )
        ) from error
    if not isinstance(array, np.ndarray):
        raise DataError(
            _("{path}, for the input {name!r}, is not a single array; save it with np.save", path=path, name=name)
        )
    return array


def _scale(array: Array, low: float, high: float) -> Array:
    """Scale floats from [0, 1] to [low, high]; return other dtypes unchanged."""
    if array.dtype.kind in "iubOSU":
        return array
    return np.asarray(low + array.astype(np.float64) * (high - low), array.dtype)
