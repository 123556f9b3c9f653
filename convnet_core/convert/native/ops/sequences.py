"""Sequences and optionals.

A sequence is a Python list of tensors, because its length is known during tracing. An optional is its value or None.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from convnet_core.convert.native.helpers.shape_tensors import entries
from convnet_core.convert.native.helpers.tensors import rank_of, require_constant, size_of, static_value
from convnet_core.convert.native.ir import Graph
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.ops.control import RunSubgraph, as_tensors
from convnet_core.convert.native.registry import handles
from convnet_core.errors import ConversionError
from convnet_core.language import N_, _


@handles("SequenceConstruct", 11)
def sequence_construct(*inputs: Any) -> Any:
    return list(inputs)


@handles("SequenceEmpty", 11)
def sequence_empty(*, dtype: int = 1) -> Any:
    return []


@handles("SequenceLength", 11)
def sequence_length(sequence: Any) -> Any:
    return np.array(len(sequence), np.int64)


@handles("SequenceAt", 11)
def sequence_at(sequence: Any, position: Any) -> Any:
    return _at_position(position, len(sequence), lambda index: sequence[index])


@handles("SequenceInsert", 11)
def sequence_insert(sequence: Any, tensor: Any, position: Any = None) -> Any:
    count = len(sequence)
    position = np.array(count) if position is None else position
    return _at_position(position, count, lambda index: [*sequence[:index], tensor, *sequence[index:]], count + 1)


@handles("SequenceErase", 11)
def sequence_erase(sequence: Any, position: Any = None) -> Any:
    position = np.array(-1) if position is None else position
    return _at_position(position, len(sequence), lambda index: [*sequence[:index], *sequence[index + 1 :]])


def _at_position(position: Any, count: int, function: Callable[[int], Any], indices: int | None = None) -> Any:
    """Call a function with an index in a sequence, which may be a tensor."""
    index = static_value(position)
    if index is not None:
        return function(int(index.item()) % count if index < 0 else int(index.item()))
    position = tf.cast(tf.reshape(position, []), tf.int32)
    normalized = tf.where(position < 0, position + count, position)
    choices = [partial(function, index) for index in range(indices or count)]
    return tf.switch_case(normalized, [lambda choice=choice: as_tensors(choice()) for choice in choices])


@handles("SplitToSequence", 11, 24)
def split_to_sequence(x: Any, split: Any = None, *, axis: int = 0, keepdims: int = 1) -> Any:
    axis %= rank_of(x)
    total = size_of(x, axis)
    if split is None or rank_of(split) == 0:
        if not isinstance(total, int):
            raise ConversionError(_("the length of the sequence is unknown"))
        size = 1 if split is None else int(require_constant(split, N_("the size of the parts"))[0])
        sizes = [min(size, total - start) for start in range(0, total, size)]
    else:
        sizes = entries(split, N_("the sizes of the parts"))
    items = tf.split(x, sizes, axis)
    return [tf.squeeze(item, [axis]) for item in items] if split is None and not keepdims else list(items)


@handles("ConcatFromSequence", 11)
def concat_from_sequence(sequence: Any, *, axis: int, new_axis: int = 0) -> Any:
    return tf.stack(sequence, axis) if new_axis else tf.concat(sequence, axis)


@handles("SequenceMap", 17)
def sequence_map(sequence: Any, *others: Any, body: Graph, run: RunSubgraph) -> Any:
    names = [info.name for info in body.inputs]
    results = []
    for index, item in enumerate(sequence):
        extra = [other[index] if isinstance(other, list) else other for other in others]
        results.append(run(body, dict(zip(names, [item, *extra], strict=True))))
    return tuple([row[index] for row in results] for index in range(len(body.outputs)))


@handles("Optional", 15, 28)
def optional(value: Any = None, *, type: Any = None) -> Any:  # ONNX's name
    return value


@handles("OptionalHasElement", 15, 18, 28)
def optional_has_element(value: Any = None) -> Any:
    return np.array(value is not None)


@handles("OptionalGetElement", 15, 18, 28)
def optional_get_element(value: Any) -> Any:
    if value is None:
        raise ConversionError(_("the optional is empty"))
    return value
