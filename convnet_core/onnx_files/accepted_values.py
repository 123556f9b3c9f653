"""The integers that each ONNX operator accepts at inputs that are indices, lengths, counts or sizes.

Sources: onnx.ai/onnx/operators and, for com.microsoft, docs/ContribOperators.md in ONNX Runtime. Negative indices are
left out, although some operators accept them, because runtimes may treat them differently.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import onnx
import onnx.helper

from convnet_core.onnx_files.shapes import Shape
from convnet_core.tensors.arrays import Bounds, Dimension, Limit

_FEW = 4
"""Upper bound for counts such as repetitions and loop iterations."""


class Sizes(Protocol):
    """Shapes and values of a model's tensors."""

    def shape(self, name: str) -> Shape | None: ...
    def size(self, name: str, axis: int) -> Limit | None: ...
    def constant(self, name: str) -> int | None: ...
    def is_whole(self, name: str) -> bool: ...


def accepted_bounds(node: onnx.NodeProto, sizes: Sizes) -> Iterator[tuple[int, Bounds]]:
    """The index and bounds of each such input that the node has."""
    for position, low, high in _accepted_limits(node, sizes):
        lows, highs = ([limit for limit in limits if limit is not None] for limits in (low, high))
        present = position < len(node.input) and node.input[position]
        if present and len(lows) == len(low) and len(highs) == len(high):
            yield position, Bounds(tuple(lows), tuple(highs))


def _accepted_limits(
    node: onnx.NodeProto, sizes: Sizes
) -> Iterator[tuple[int, list[Limit | None], list[Limit | None]]]:
    attributes = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}

    def indices(data: int, axis: int) -> tuple[list[Limit | None], list[Limit | None]]:
        return [0], [_last_index(sizes.size(node.input[data], axis))]

    def lengths(axis: int) -> tuple[list[Limit | None], list[Limit | None]]:
        return [1], [sizes.size(node.input[0], axis)]

    match node.op_type:
        case "Gather" | "GatherElements" | "ScatterElements" | "Scatter":
            yield 1, *indices(0, attributes.get("axis", 0))
        case "GatherND" | "ScatterND":
            index_shape, first = sizes.shape(node.input[1]), attributes.get("batch_dims", 0)
            if index_shape and isinstance(index_shape[-1], int):
                high = [_last_index(sizes.size(node.input[0], first + axis)) for axis in range(index_shape[-1])]
                yield 1, [0] * len(high), high
        case "ArrayFeatureExtractor":
            yield 1, *indices(0, -1)
        case "NegativeLogLikelihoodLoss" | "SoftmaxCrossEntropyLoss":
            yield 1, *indices(0, 1)
        case "RoiAlign":
            yield 2, *indices(0, 0)
        case "EmbedLayerNormalization":
            yield 0, *indices(2, 0)
            yield 1, *indices(4, 0)
        case "RotaryEmbedding":
            position, cache = (1, 2) if node.domain == "com.microsoft" else (3, 1)
            yield position, *indices(cache, 0)
        case "OneHot":
            depth = sizes.constant(node.input[1])
            yield 0, [0], [None if depth is None else depth - 1]
            yield 1, [1], [_FEW]
        case "LSTM" | "GRU" | "RNN":
            yield 4, *lengths(1 if attributes.get("layout") else 0)
        case "ReverseSequence":
            yield 1, *lengths(attributes.get("time_axis", 0))
        case "TopK":
            yield 1, *lengths(attributes.get("axis", -1))
        case "NonMaxSuppression":
            yield 2, [1], [_FEW]
        case "Div" | "Mod":
            yield 1, [1], [_FEW if sizes.is_whole(node.input[1]) else None]
        case "BitShift":
            yield 1, [0], [_FEW]
        case "ConstantOfShape" | "Loop":
            yield 0, [1], [_FEW]
        case "HannWindow" | "HammingWindow" | "BlackmanWindow":
            yield 0, [2], [4 * _FEW]
        case "Tile":
            yield 1, [1], [2]
        case "Expand":
            yield 1, [1], [1]
        case "Range":
            yield 0, [0], [0]
            yield 1, [1], [2 * _FEW]
            yield 2, [1], [1]
        case "Slice":
            yield 1, [0], [0]
            yield 2, [1], [_FEW]
            yield 3, *_axis(node, 3, sizes)
            yield 4, [1], [1]
        case "CumSum":
            yield 1, *_axis(node, 1, sizes)
        case "Unsqueeze":
            yield 1, [0], [0]
        case "Reshape":
            yield 1, *_same_shape(node, 1, sizes)
        case "Resize":
            shape = sizes.shape(node.input[0]) or ()
            same: list[Limit | None] = [sizes.size(node.input[0], axis) for axis in range(len(shape))]
            yield 3, same or [None], same or [None]
        case "SequenceAt" | "SequenceErase" | "SequenceInsert":
            yield (2 if node.op_type == "SequenceInsert" else 1), [0], [0]
        case op if op.startswith("Reduce"):
            yield 1, *_axis(node, 1, sizes)


def _last_index(size: Limit | None) -> Limit | None:
    """The last index of a dimension: its size less 1."""
    if isinstance(size, Dimension):
        return Dimension(size.name, size.axis, size.offset - 1)
    return None if size is None else size - 1


def _axis(node: onnx.NodeProto, position: int, sizes: Sizes) -> tuple[list[Limit | None], list[Limit | None]]:
    """Bounds of a single axis of the first input. No bounds for several axes, which must differ."""
    shape, axes = sizes.shape(node.input[0]), sizes.shape(node.input[position]) if position < len(node.input) else None
    return [0], [len(shape) - 1 if shape and axes in ((), (1,)) else None]


def _same_shape(node: onnx.NodeProto, position: int, sizes: Sizes) -> tuple[list[Limit | None], list[Limit | None]]:
    """A target of Reshape that keeps the shape (0 copies a size) or flattens it (-1)."""
    shape, target = sizes.shape(node.input[0]), sizes.shape(node.input[position])
    if target == (1,):
        return [-1], [-1]
    same_rank = shape is not None and target == (len(shape),)
    return [0], [0 if same_rank else None]
