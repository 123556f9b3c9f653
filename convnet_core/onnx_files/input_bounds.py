"""Find the values that a model accepts at its inputs, for inputs that are indices, lengths, counts or sizes.

The nodes that use such integers determine the bounds. These are traced back to the inputs through nodes that move
values or add or subtract a constant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import onnx
import onnx.inliner
import onnx.numpy_helper

from convnet_core.onnx_files import model_file
from convnet_core.onnx_files.accepted_values import accepted_bounds
from convnet_core.onnx_files.functions import graphs_of
from convnet_core.onnx_files.shapes import Shape
from convnet_core.onnx_files.tensor_types import infer_types
from convnet_core.tensors.arrays import Bounds, Dimension, Limit, TensorInfo, batched

_KEEPS_POSITIONS = {"Cast", "CastLike", "Identity"}
_MOVES = _KEEPS_POSITIONS | {
    *("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Expand", "Tile", "Slice", "Split"),
    *("Gather", "GatherElements", "GatherND", "Concat"),
}
"""Operators whose outputs contain only values of their first input (for Concat, of all inputs)."""

_Origins = dict[str, dict[str, tuple[int, bool]]]
"""By tensor and model input: the constant added to the input's values, and whether their positions are unchanged."""


def inputs_with_bounds(model: onnx.ModelProto) -> tuple[TensorInfo, ...]:
    """The inputs of a model, with `bounds` on their values if the graph implies any."""
    inputs = model_file.inputs(model)
    inlined = onnx.inliner.inline_local_functions(model) if model.functions else model
    result: dict[str, Bounds] = {}
    origins: _Origins = {info.name: {info.name: (0, True)} for info in inputs}
    sizes = _Sizes(inlined, inputs)
    for name, bounds in _walk(inlined.graph, origins, sizes):
        result[name] = result[name].within(bounds) if name in result else bounds
    return tuple(replace(info, bounds=result.get(info.name)) for info in inputs)


class _Sizes:
    """Dimension sizes (numbers or input dimensions) and values of constants."""

    def __init__(self, model: onnx.ModelProto, inputs: tuple[TensorInfo, ...]) -> None:
        self._types = infer_types(model)
        self._constants = {tensor.name: tensor for tensor in model.graph.initializer}
        batches = batched(inputs)
        self._symbols: dict[str, Limit] = {}
        for info in inputs:
            for axis, symbol in enumerate(info.symbols):
                if symbol:  # a batch may have a single sample
                    limit = 1 if axis == 0 and info.name in batches else Dimension(info.name, axis)
                    self._symbols.setdefault(symbol, limit)

    def note(self, node: onnx.NodeProto) -> None:
        """Record a Constant node."""
        if node.op_type == "Constant" and node.attribute[0].HasField("t"):
            self._constants[node.output[0]] = node.attribute[0].t

    def shape(self, name: str) -> Shape | None:
        """The shape, with the names of dynamic dimensions."""
        return self._types.get(name, ("", None))[1]

    def size(self, name: str, axis: int) -> Limit | None:
        """The size of a dimension, or None if unknown."""
        shape = self.shape(name)
        if shape is None or not -len(shape) <= axis < len(shape):
            return None
        size = shape[axis]
        return self._symbols.get(size) if isinstance(size, str) else size

    def is_whole(self, name: str) -> bool:
        """Whether a tensor is known to have an integer dtype."""
        return self._types.get(name, ("", None))[0].startswith(("int", "uint"))

    def constant(self, name: str) -> int | None:
        """The value of a constant with a single integer, else None."""
        tensor = self._constants.get(name)
        if tensor is None or tensor.data_type not in (onnx.TensorProto.INT64, onnx.TensorProto.INT32):
            return None
        values = onnx.numpy_helper.to_array(tensor)
        return int(values.reshape(())) if values.size == 1 else None


def _walk(graph: onnx.GraphProto, origins: _Origins, sizes: _Sizes) -> Iterator[tuple[str, Bounds]]:
    """Bounds on the inputs from the nodes of a graph and its subgraphs."""
    for tensor in graph.initializer:
        origins.pop(tensor.name, None)
    for node in graph.node:
        sizes.note(node)
        for inner in graphs_of(node):
            yield from _walk(inner, origins, sizes)
        for position, bounds in accepted_bounds(node, sizes):
            for name, (added, in_place) in origins.get(node.input[position], {}).items():
                if in_place or len(bounds.low) == len(bounds.high) == 1:
                    yield name, bounds.minus(added)
        _follow(node, origins, sizes)


def _follow(node: onnx.NodeProto, origins: _Origins, sizes: _Sizes) -> None:
    """Record which inputs' values a node's outputs contain."""
    carried: dict[str, tuple[int, bool]] = {}
    if node.op_type in ("Add", "Sub"):
        for index, other in ((0, 1), (1, 0))[: 2 if node.op_type == "Add" else 1]:
            constant = sizes.constant(node.input[other])
            if constant is not None:
                offset = constant if node.op_type == "Add" else -constant
                carried = {
                    name: (added + offset, same)
                    for name, (added, same) in _origins_of(origins, node.input[index]).items()
                }
    elif node.op_type in _MOVES:
        same = node.op_type in _KEEPS_POSITIONS
        for source in node.input if node.op_type == "Concat" else node.input[:1]:
            carried |= {
                name: (added, same and unmoved) for name, (added, unmoved) in _origins_of(origins, source).items()
            }
    if carried:
        origins.update(dict.fromkeys(node.output, carried))


def _origins_of(origins: _Origins, name: str) -> Mapping[str, tuple[int, bool]]:
    return origins.get(name, {})
