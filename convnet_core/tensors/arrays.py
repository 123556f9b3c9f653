"""Named arrays, and what a model says about its inputs and outputs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convnet_core.errors import ModelError

Array = NDArray[Any]
Feeds = dict[str, Array]
"""Arrays by the name of the ONNX input (or output) that they belong to."""


@dataclass(frozen=True)
class Dimension:
    """The size of an input's dimension, and a number to add to it."""

    name: str
    axis: int
    offset: int = 0


Limit = int | Dimension


@dataclass(frozen=True)
class Bounds:
    """The lowest and highest whole numbers that an input takes: one, or one for each place in the last dimension."""

    low: tuple[Limit, ...]
    high: tuple[Limit, ...]

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Bounds:
        """What `dataclasses.asdict` gave."""

        def limits(items: Sequence[Any]) -> tuple[Limit, ...]:
            return tuple(Dimension(**item) if isinstance(item, dict) else int(item) for item in items)

        return cls(limits(value["low"]), limits(value["high"]))

    def minus(self, number: int) -> Bounds:
        """The bounds of what a number is added to."""
        return Bounds(
            tuple(_plus(item, -number) for item in self.low), tuple(_plus(item, -number) for item in self.high)
        )

    def within(self, other: Bounds) -> Bounds:
        """What both allow, where they can be told apart before the sizes of dimensions are known."""
        return Bounds(_closer(self.low, other.low, max), _closer(self.high, other.high, min))

    def of(self, shapes: Mapping[str, tuple[int, ...]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Low and high in numbers, for inputs of these shapes; high is no less than low."""
        low, high = (np.array([_number(item, shapes) for item in limits]) for limits in (self.low, self.high))
        return low, np.maximum(low, high)


def _plus(limit: Limit, number: int) -> Limit:
    return replace(limit, offset=limit.offset + number) if isinstance(limit, Dimension) else limit + number


def _closer(ours: tuple[Limit, ...], theirs: tuple[Limit, ...], choose: Callable[[int, int], int]) -> tuple[Limit, ...]:
    """For each place the closer of two numbers; of what is no number, the first."""
    if len(ours) != len(theirs):
        return ours if len(ours) > len(theirs) else theirs
    return tuple(
        choose(a, b) if isinstance(a, int) and isinstance(b, int) else a for a, b in zip(ours, theirs, strict=True)
    )


def _number(limit: Limit, shapes: Mapping[str, tuple[int, ...]]) -> int:
    return shapes[limit.name][limit.axis] + limit.offset if isinstance(limit, Dimension) else limit


@dataclass(frozen=True)
class TensorInfo:
    """An input or output of a model; a dimension is None where it is dynamic.

    `symbols` are the names of the dimensions, where they are known: equal names are equal sizes. `bounds` are those of
    an input's values, where they are known.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    symbols: tuple[str, ...] = field(default=(), compare=False)
    bounds: Bounds | None = field(default=None, compare=False)


DYNAMIC_SIZE = 64
"""What a dynamic dimension other than the batch becomes: enough for a network that halves an image five times."""


_SEQUENCE = re.compile(r"seq|time|T$|L$|length$", re.IGNORECASE)
"""How names of dimensions begin that are no batch: recurrent networks have time first."""


def shape_text(shape: Sequence[int | None]) -> str:
    """A shape for people: batch × 1 × 28 × 28. A dynamic dimension that is not the first is "any"."""
    sizes = [str(size) if size is not None else "any" if place else "batch" for place, size in enumerate(shape)]
    return " × ".join(sizes) or "scalar"


def batched(inputs: Sequence[TensorInfo]) -> frozenset[str]:
    """The inputs whose first dimension is the batch: the dynamic ones; where none is, all, if they have one size.

    A dimension whose name stands further back in a shape, too, is another one, and so is one that is called a sequence
    or a time. Empty for a model without a batch.
    """
    inner = {symbol for info in inputs for symbol in info.symbols[1:] if symbol}
    free = [
        info.name
        for info in inputs
        if info.shape
        and info.shape[0] is None
        and not (info.symbols and (info.symbols[0] in inner or _SEQUENCE.match(info.symbols[0])))
    ]
    sizes = {info.shape[0] for info in inputs if info.shape}
    return frozenset(free or (info.name for info in inputs if info.shape and len(sizes) == 1))


def batch_of(feeds: Feeds, start: int, stop: int, names: frozenset[str] | None = None) -> Feeds:
    """The samples from `start` to `stop`. `names` are the arrays with a batch dimension, the first; None for all."""
    return {name: array[start:stop] if names is None or name in names else array for name, array in feeds.items()}


def sample_count(feeds: Feeds, names: frozenset[str] | None = None) -> int:
    """The number of samples in the feeds: 1 where none has a batch dimension. `names` as in `batch_of`."""
    return next((len(array) for name, array in feeds.items() if names is None or name in names), 1)


def flat_samples(array: Array) -> NDArray[np.float64]:
    """[n, ...] as float64 [n, values]; a scalar is one sample."""
    array = np.atleast_1d(array)
    return array.reshape(len(array), int(np.prod(array.shape[1:]))).astype(np.float64)


def fixed_batch(inputs: Sequence[TensorInfo]) -> int | None:
    """The one batch size that a model takes, 1 where it has no batch dimension; None where it is dynamic."""
    names = batched(inputs)
    return next((info.shape[0] for info in inputs if info.name in names), 1)


def example_feeds(inputs: Sequence[TensorInfo], batch: int, rng: np.random.Generator) -> Feeds:
    """Random arrays that fit a model's inputs, `batch` samples each.

    Floats lie from 0 to 1; strings are short words. Whole numbers of 8 bits use their whole range, as pixels do;
    wider ones are 0 or 1, since they may be places in a table. Where an input has bounds, its values are whole numbers
    within them. Raises ModelError where the model takes another batch size only, or has a type that NumPy does not
    know.
    """
    fixed = fixed_batch(inputs)
    if fixed not in (None, batch):
        raise ModelError(f"the model takes batches of {fixed} only", hint="export it with a dynamic batch")
    names = batched(inputs)
    shapes = {info.name: _sizes(info, batch if info.name in names else DYNAMIC_SIZE) for info in inputs}
    return {info.name: _example(info, shapes, rng) for info in inputs}


def _sizes(info: TensorInfo, first: int) -> tuple[int, ...]:
    """A shape without dynamic dimensions; a dynamic first one has the size `first`."""
    sizes = ((DYNAMIC_SIZE if axis else first) if size is None else size for axis, size in enumerate(info.shape))
    return tuple(sizes)


def _example(info: TensorInfo, shapes: Mapping[str, tuple[int, ...]], rng: np.random.Generator) -> Array:
    """A random array for one of the inputs, which have these shapes."""
    shape = shapes[info.name]
    try:
        dtype = np.dtype(info.dtype)
    except TypeError as error:
        raise ModelError(f"the input {info.name!r} has the unknown type {info.dtype}") from error
    if info.bounds and dtype.kind != "b":
        low, high = limits_of(info.bounds, shapes, dtype)
        return np.asarray(rng.integers(low, high, shape, endpoint=True)).astype(dtype)
    if dtype.kind == "b":
        return np.asarray(rng.integers(0, 2, shape), dtype)
    if dtype.kind in "iu":
        limits = np.iinfo(dtype) if dtype.itemsize == 1 else None
        least, most = (limits.min, limits.max) if limits else (0, 1)
        return np.asarray(rng.integers(least, most, shape, dtype, endpoint=True))
    if dtype.kind in "OSU":
        return np.asarray(rng.choice(np.array(["a", "b", "ab"], object), shape), object)
    return np.asarray(rng.random(shape), dtype)


def zeros(inputs: Sequence[TensorInfo], feeds: Feeds) -> Feeds:
    """Arrays like `feeds` of zeros, or of what lies closest to zero within an input's bounds; empty words."""
    shapes, found = {name: array.shape for name, array in feeds.items()}, {}
    for info in inputs:
        array = np.full_like(feeds[info.name], "" if feeds[info.name].dtype == object else 0)
        if info.bounds and array.dtype.kind != "b":
            limits = limits_of(info.bounds, shapes, array.dtype)
            array = np.clip(array, *limits).astype(array.dtype).reshape(array.shape)  # a scalar, too
        found[info.name] = array
    return found


def limits_of(
    bounds: Bounds, shapes: Mapping[str, tuple[int, ...]], dtype: np.dtype[Any]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """An input's bounds in numbers that its dtype holds."""
    low, high = bounds.of(shapes)
    if dtype.kind not in "iu":
        return low, high
    held = np.iinfo(dtype)
    most = min(held.max, np.iinfo(np.int64).max)
    return np.clip(low, held.min, most), np.clip(high, held.min, most)
