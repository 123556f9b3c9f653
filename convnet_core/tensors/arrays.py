"""Named arrays, and descriptions of a model's inputs and outputs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convnet_core.errors import ModelError
from convnet_core.language import _

Array = NDArray[Any]
Feeds = dict[str, Array]
"""Arrays by the name of the ONNX input or output."""


@dataclass(frozen=True)
class Dimension:
    """A limit that depends on a shape: the size of axis `axis` of the input `name`, plus `offset`."""

    name: str
    axis: int
    offset: int = 0


Limit = int | Dimension


@dataclass(frozen=True)
class Bounds:
    """The lowest and highest integers that an input accepts: one limit, or one per index of the last dimension."""

    low: tuple[Limit, ...]
    high: tuple[Limit, ...]

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Bounds:
        """Parse the output of `dataclasses.asdict`."""

        def limits(items: Sequence[Any]) -> tuple[Limit, ...]:
            return tuple(Dimension(**item) if isinstance(item, dict) else int(item) for item in items)

        return cls(limits(value["low"]), limits(value["high"]))

    def minus(self, number: int) -> Bounds:
        """The bounds shifted down by `number`: the bounds of x if these are the bounds of x + number."""
        return Bounds(
            tuple(_plus(item, -number) for item in self.low), tuple(_plus(item, -number) for item in self.high)
        )

    def within(self, other: Bounds) -> Bounds:
        """The intersection with other bounds. A limit that depends on a shape cannot be compared, so self's wins."""
        return Bounds(_tighter(self.low, other.low, max), _tighter(self.high, other.high, min))

    def resolve(self, shapes: Mapping[str, tuple[int, ...]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Low and high as numbers for inputs of these shapes, int64 [limits]; high is at least low."""
        low, high = (np.array([_number(item, shapes) for item in limits]) for limits in (self.low, self.high))
        return low, np.maximum(low, high)


def _plus(limit: Limit, number: int) -> Limit:
    return replace(limit, offset=limit.offset + number) if isinstance(limit, Dimension) else limit + number


def _tighter(
    first: tuple[Limit, ...], second: tuple[Limit, ...], choose: Callable[[int, int], int]
) -> tuple[Limit, ...]:
    """At each index the tighter of two numbers; the first limit if either depends on a shape."""
    if len(first) != len(second):
        return first if len(first) > len(second) else second
    return tuple(
        choose(a, b) if isinstance(a, int) and isinstance(b, int) else a for a, b in zip(first, second, strict=True)
    )


def _number(limit: Limit, shapes: Mapping[str, tuple[int, ...]]) -> int:
    return shapes[limit.name][limit.axis] + limit.offset if isinstance(limit, Dimension) else limit


@dataclass(frozen=True)
class TensorInfo:
    """An input or output of a model; a dynamic dimension is None.

    `symbols` are the names of the dimensions, if known: dimensions of one name have one size. `bounds` are the bounds
    of an input's values, if known.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    symbols: tuple[str, ...] = field(default=(), compare=False)
    bounds: Bounds | None = field(default=None, compare=False)


DYNAMIC_SIZE = 64
"""The size to use for a dynamic dimension other than the batch: enough for a network that halves an image 5 times."""


_SEQUENCE = re.compile(r"seq|time|T$|L$|length$", re.IGNORECASE)
"""The start of names of time dimensions, which are not the batch: recurrent networks have time first."""


def shape_text(shape: Sequence[int | None]) -> str:
    """A shape as text: batch × 1 × 28 × 28. A dynamic dimension after the first is "any"."""
    sizes = [str(size) if size is not None else "any" if place else "batch" for place, size in enumerate(shape)]
    return " × ".join(sizes) or "scalar"


def batched(inputs: Sequence[TensorInfo]) -> frozenset[str]:
    """The names of the inputs whose first dimension is the batch; empty for a model without a batch.

    These are the inputs whose first dimension is dynamic; if there are none, all inputs, provided that their first
    dimensions have one size. A first dimension is not the batch if its name also occurs later in a shape, or if it
    is named after a sequence or time.
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
    """The samples from `start` to `stop`. `names` are the arrays whose first dimension is the batch; None: all."""
    return {name: array[start:stop] if names is None or name in names else array for name, array in feeds.items()}


def sample_count(feeds: Feeds, names: frozenset[str] | None = None) -> int:
    """The number of samples in the feeds; 1 if no array has a batch dimension. `names` as in `batch_of`."""
    return next((len(array) for name, array in feeds.items() if names is None or name in names), 1)


def flat_samples(array: Array) -> NDArray[np.float64]:
    """Reshape [n, ...] to float64 [n, values]; a scalar counts as one sample."""
    array = np.atleast_1d(array)
    return array.reshape(len(array), int(np.prod(array.shape[1:]))).astype(np.float64)


def fixed_batch(inputs: Sequence[TensorInfo]) -> int | None:
    """The only batch size that a model accepts; 1 if it has no batch dimension, None if the batch is dynamic."""
    names = batched(inputs)
    return next((info.shape[0] for info in inputs if info.name in names), 1)


def example_feeds(inputs: Sequence[TensorInfo], batch: int, rng: np.random.Generator) -> Feeds:
    """Random arrays that fit a model's inputs, `batch` samples each.

    Floats are between 0 and 1; strings are short words. 8-bit integers span their full range, as pixels do; wider
    integers are 0 or 1, since they may be indices. An input with bounds gets integers within its bounds. Raises
    ModelError if the model only accepts another batch size, or has a type that NumPy does not know.
    """
    fixed = fixed_batch(inputs)
    if fixed not in (None, batch):
        raise ModelError(
            _("the model only accepts batches of {fixed}", fixed=fixed), hint=_("export it with a dynamic batch")
        )
    names = batched(inputs)
    shapes = {info.name: _sizes(info, batch if info.name in names else DYNAMIC_SIZE) for info in inputs}
    return {info.name: _example(info, shapes, rng) for info in inputs}


def _sizes(info: TensorInfo, first: int) -> tuple[int, ...]:
    """A shape with sizes for the dynamic dimensions: `first` for the first dimension, else DYNAMIC_SIZE."""
    sizes = ((DYNAMIC_SIZE if axis else first) if size is None else size for axis, size in enumerate(info.shape))
    return tuple(sizes)


def _example(info: TensorInfo, shapes: Mapping[str, tuple[int, ...]], rng: np.random.Generator) -> Array:
    """A random array for one input; `shapes` are the shapes of all inputs."""
    shape = shapes[info.name]
    try:
        dtype = np.dtype(info.dtype)
    except TypeError as error:
        raise ModelError(
            _("the input {name!r} has the unknown type {dtype}", name=info.name, dtype=info.dtype)
        ) from error
    if info.bounds and dtype.kind != "b":
        low, high = integer_limits(info.bounds, shapes, dtype)
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
    """Arrays like `feeds`, filled with zeros, or with the value closest to zero within bounds; strings are empty."""
    shapes, zero_feeds = {name: array.shape for name, array in feeds.items()}, {}
    for info in inputs:
        array = np.full_like(feeds[info.name], "" if feeds[info.name].dtype == object else 0)
        if info.bounds and array.dtype.kind != "b":
            limits = integer_limits(info.bounds, shapes, array.dtype)
            array = np.clip(array, *limits).astype(array.dtype).reshape(array.shape)  # clip makes a scalar [1]
        zero_feeds[info.name] = array
    return zero_feeds


def integer_limits(
    bounds: Bounds, shapes: Mapping[str, tuple[int, ...]], dtype: np.dtype[Any]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """An input's bounds as numbers (see `Bounds.resolve`), clipped to the range of its dtype."""
    low, high = bounds.resolve(shapes)
    if dtype.kind not in "iu":
        return low, high
    limits = np.iinfo(dtype)
    highest = min(limits.max, np.iinfo(np.int64).max)
    return np.clip(low, limits.min, highest), np.clip(high, limits.min, highest)
