"""Which whole numbers each operator of ONNX accepts at its inputs that are places, lengths, counts or sizes.

Source: onnx.ai/onnx/operators, and com.microsoft's in ONNX Runtime's docs/ContribOperators.md. What an operator accepts
beyond this (negative places) is left out, as another runtime may take it otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import onnx
import onnx.helper

from convnet_core.onnx_files.shapes import Shape
from convnet_core.tensors.arrays import Bounds, Dimension, Limit

_FEW = 4
"""Enough of what is counted: repetitions, turns of a loop."""


class Sizes(Protocol):
    """What is asked of a model's tensors here."""

    def shape(self, name: str) -> Shape | None: ...
    def size(self, name: str, axis: int) -> Limit | None: ...
    def constant(self, name: str) -> int | None: ...
    def is_whole(self, name: str) -> bool: ...


def accepted_bounds(node: onnx.NodeProto, sizes: Sizes) -> Iterator[tuple[int, Bounds]]:
    """For each such input that the node has: its position, and its bounds."""
    for position, low, high in _accepted_limits(node, sizes):
        known_low, known_high = ([limit for limit in limits if limit is not None] for limits in (low, high))
        is_there = position < len(node.input) and node.input[position]
        if is_there and len(known_low) == len(low) and len(known_high) == len(high):
            yield position, Bounds(tuple(known_low), tuple(known_high))


def _accepted_limits(
    node: onnx.NodeProto, sizes: Sizes
) -> Iterator[tuple[int, list[Limit | None], list[Limit | None]]]:
    kept = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}

    def places(data: int, axis: int) -> tuple[list[Limit | None], list[Limit | None]]:
        return [0], [_last_index(sizes.size(node.input[data], axis))]

    def lengths(axis: int) -> tuple[list[Limit | None], list[Limit | None]]:
        return [1], [sizes.size(node.input[0], axis)]

    match node.op_type:
        case "Gather" | "GatherElements" | "ScatterElements" | "Scatter":
            yield 1, *places(0, kept.get("axis", 0))
        case "GatherND" | "ScatterND":
            along, first = sizes.shape(node.input[1]), kept.get("batch_dims", 0)
            if along and isinstance(along[-1], int):
                high = [_last_index(sizes.size(node.input[0], first + axis)) for axis in range(along[-1])]
                yield 1, [0] * len(high), high
        case "ArrayFeatureExtractor":
            yield 1, *places(0, -1)
        case "NegativeLogLikelihoodLoss" | "SoftmaxCrossEntropyLoss":
            yield 1, *places(0, 1)
        case "RoiAlign":
            yield 2, *places(0, 0)
        case "EmbedLayerNormalization":
            yield 0, *places(2, 0)
            yield 1, *places(4, 0)
        case "RotaryEmbedding":
            position, cache = (1, 2) if node.domain == "com.microsoft" else (3, 1)
            yield position, *places(cache, 0)
        case "OneHot":
            depth = sizes.constant(node.input[1])
            yield 0, [0], [None if depth is None else depth - 1]
            yield 1, [1], [_FEW]
        case "LSTM" | "GRU" | "RNN":
            yield 4, *lengths(1 if kept.get("layout") else 0)
        case "ReverseSequence":
            yield 1, *lengths(kept.get("time_axis", 0))
        case "TopK":
            yield 1, *lengths(kept.get("axis", -1))
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
    """One less than a size: the last place."""
    if isinstance(size, Dimension):
        return Dimension(size.name, size.axis, size.offset - 1)
    return None if size is None else size - 1


def _axis(node: onnx.NodeProto, position: int, sizes: Sizes) -> tuple[list[Limit | None], list[Limit | None]]:
    """One dimension of the first input; of several, which may not be equal, nothing is known."""
    shape, axes = sizes.shape(node.input[0]), sizes.shape(node.input[position]) if position < len(node.input) else None
    return [0], [len(shape) - 1 if shape and axes in ((), (1,)) else None]


def _same_shape(node: onnx.NodeProto, position: int, sizes: Sizes) -> tuple[list[Limit | None], list[Limit | None]]:
    """A target of Reshape that keeps the shape (0 stands for the size as it is), or makes it flat (-1)."""
    shape, target = sizes.shape(node.input[0]), sizes.shape(node.input[position])
    if target == (1,):
        return [-1], [-1]
    known = shape is not None and target == (len(shape),)
    return [0], [0 if known else None]
