"""Concat, Split and Tile."""

from __future__ import annotations

import itertools
from typing import Any

from convnet_core.convert.native.helpers.dtypes import widen_integers
from convnet_core.convert.native.helpers.shape_tensors import entries, join_entries, partial_entries
from convnet_core.convert.native.helpers.tensors import pack_sizes, rank_of, require_constant, size_of
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.registry import handles
from convnet_core.language import N_


@handles("Concat", 1)
def concat_1(*inputs: Any, axis: int = 1) -> Any:
    return concat(*inputs, axis=axis)


@handles("Concat", 4, 11, 13)
def concat(*inputs: Any, axis: int) -> Any:
    vectors = [partial_entries(item) if len(item.shape) == 1 else None for item in inputs]
    if all(item is not None for item in vectors):
        return join_entries([entry for item in vectors for entry in item or []], inputs[0])
    return tf.concat(inputs, axis) if len(inputs) > 1 else tf.identity(inputs[0])


@handles("Split", 1, 2, 11)
def split_2(x: Any, *, axis: int = 0, split: list[int] | None = None, outputs: int) -> Any:
    return _split(x, split, axis, outputs)


@handles("Split", 13, 18)
def split(x: Any, split: Any = None, *, axis: int = 0, num_outputs: int | None = None, outputs: int) -> Any:
    return _split(x, None if split is None else entries(split, N_("the sizes of the parts"), outputs), axis, outputs)


def _split(x: Any, sizes: list[Any] | None, axis: int, count: int) -> Any:
    axis %= rank_of(x)
    if sizes is None:
        total = size_of(x, axis)
        total = total if isinstance(total, int) else tf.cast(total, tf.int32)  # TFLite cannot divide 64-bit integers
        size = -(-total // count)  # rounded up: the last part may be smaller
        sizes = [size] * (count - 1) + [total - size * (count - 1)]
    if not all(isinstance(size, int) for size in sizes):  # by slices, because TFLite can split only into known sizes
        x = tf.convert_to_tensor(x)
        ends = list(itertools.accumulate(tf.cast(size, tf.int64) for size in sizes))
        before = (slice(None),) * axis
        return tuple(x[(*before, slice(*pair))] for pair in zip([0, *ends[:-1]], ends, strict=True))
    if (known_entries := partial_entries(x)) is not None:
        starts = [sum(sizes[:index]) for index in range(count)]
        return tuple(
            join_entries(known_entries[start : start + size], x) for start, size in zip(starts, sizes, strict=True)
        )
    return tuple(tf.split(x, count if len(set(sizes)) == 1 else sizes, axis))


@handles("Tile", 6, 13)
@widen_integers
def tile(x: Any, repeats: Any) -> Any:
    return tf.tile(x, pack_sizes(entries(repeats, N_("the repeats"), rank_of(x))))


@handles("Tile", 1)
def tile_1(x: Any, tiles: Any, axis: Any) -> Any:
    """Repeat along one dimension."""
    index = int(require_constant(axis, N_("the dimension"))[0]) % rank_of(x)
    repeats = [1] * rank_of(x)
    repeats[index] = entries(tiles)[0]
    return tile(x, pack_sizes(repeats))
