"""Named arrays, and what a model says about its inputs and outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convnet_core.errors import ModelError

Array = NDArray[Any]
Feeds = dict[str, Array]
"""Arrays by the name of the ONNX input (or output) that they belong to."""


@dataclass(frozen=True)
class TensorInfo:
    """An input or output of a model; a dimension is None where it is dynamic.

    `symbols` are the names of the dimensions, where they are known: equal names are equal sizes.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    symbols: tuple[str, ...] = field(default=(), compare=False)


DYNAMIC_SIZE = 64
"""What a dynamic dimension other than the batch becomes: enough for a network that halves an image five times."""


def shape_text(shape: Sequence[int | None]) -> str:
    """A shape for people: batch × 1 × 28 × 28. A dynamic dimension that is not the first is "any"."""
    sizes = [str(size) if size is not None else "any" if place else "batch" for place, size in enumerate(shape)]
    return " × ".join(sizes) or "scalar"


def batched(inputs: Sequence[TensorInfo]) -> frozenset[str]:
    """The inputs whose first dimension is the batch: the dynamic ones; where none is, all, if they have one size.

    A dimension whose name stands further back in a shape, too, is another one. Empty for a model without a batch.
    """
    inner = {symbol for info in inputs for symbol in info.symbols[1:] if symbol}
    free = [
        info.name
        for info in inputs
        if info.shape and info.shape[0] is None and not (info.symbols and info.symbols[0] in inner)
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
    wider ones are 0 or 1, since they may be places in a table. Raises ModelError where the model takes another batch
    size only, or has a type that NumPy does not know.
    """
    fixed = fixed_batch(inputs)
    if fixed not in (None, batch):
        raise ModelError(f"the model takes batches of {fixed} only", hint="export it with a dynamic batch")
    names = batched(inputs)
    return {info.name: _example(info, batch if info.name in names else DYNAMIC_SIZE, rng) for info in inputs}


def _example(info: TensorInfo, first: int, rng: np.random.Generator) -> Array:
    """A random array; a dynamic first dimension has the size `first`."""
    sizes = ((DYNAMIC_SIZE if axis else first) if size is None else size for axis, size in enumerate(info.shape))
    shape = tuple(sizes)
    try:
        dtype = np.dtype(info.dtype)
    except TypeError as error:
        raise ModelError(f"the input {info.name!r} has the unknown type {info.dtype}") from error
    if dtype.kind == "b":
        return np.asarray(rng.integers(0, 2, shape), dtype)
    if dtype.kind in "iu":
        limits = np.iinfo(dtype) if dtype.itemsize == 1 else None
        low, high = (limits.min, limits.max) if limits else (0, 1)
        return np.asarray(rng.integers(low, high, shape, dtype, endpoint=True))
    if dtype.kind in "OSU":
        return np.asarray(rng.choice(np.array(["a", "b", "ab"], object), shape), object)
    return np.asarray(rng.random(shape), dtype)
