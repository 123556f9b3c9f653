"""Which values a model accepts at its inputs, where its graph tells: places in a table, lengths, counts, sizes.

Each node that takes such numbers says what it accepts; they are followed back to the inputs through nodes that move
values, and through adding and taking away a constant.
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
"""Operators whose outputs hold the values of their first input, and no others but those of a Concat's."""

_Origins = dict[str, dict[str, tuple[int, bool]]]
"""Tensors that hold an input's values: what was added to them, and whether each is where it was."""


def inputs_with_bounds(model: onnx.ModelProto) -> tuple[TensorInfo, ...]:
    """The inputs of a model, with the `bounds` of their values where the graph tells."""
    inputs = model_file.inputs(model)
    plain = onnx.inliner.inline_local_functions(model) if model.functions else model
    found: dict[str, Bounds] = {}
    reached: _Origins = {info.name: {info.name: (0, True)} for info in inputs}
    sizes = _Sizes(plain, inputs)
    for name, bounds in _walk(plain.graph, reached, sizes):
        found[name] = found[name].within(bounds) if name in found else bounds
    return tuple(replace(info, bounds=found.get(info.name)) for info in inputs)


class _Sizes:
    """The sizes of tensors' dimensions: numbers, or those of an input's dimension; and the values of constants."""

    def __init__(self, model: onnx.ModelProto, inputs: tuple[TensorInfo, ...]) -> None:
        self._types = infer_types(model)
        self._constants = {tensor.name: tensor for tensor in model.graph.initializer}
        batches = batched(inputs)
        self._symbols: dict[str, Limit] = {}
        for info in inputs:
            for axis, symbol in enumerate(info.symbols):
                if symbol:  # of a batch there may be one sample alone
                    limit = 1 if axis == 0 and info.name in batches else Dimension(info.name, axis)
                    self._symbols.setdefault(symbol, limit)

    def note(self, node: onnx.NodeProto) -> None:
        """Remember a node Constant."""
        if node.op_type == "Constant" and node.attribute[0].HasField("t"):
            self._constants[node.output[0]] = node.attribute[0].t

    def shape(self, name: str) -> Shape | None:
        """With the names of dynamic dimensions."""
        return self._types.get(name, ("", None))[1]

    def size(self, name: str, axis: int) -> Limit | None:
        """None where it is not known."""
        shape = self.shape(name)
        if shape is None or not -len(shape) <= axis < len(shape):
            return None
        size = shape[axis]
        return self._symbols.get(size) if isinstance(size, str) else size

    def is_whole(self, name: str) -> bool:
        """Whether a tensor is known to hold whole numbers."""
        return self._types.get(name, ("", None))[0].startswith(("int", "uint"))

    def constant(self, name: str) -> int | None:
        """The one whole number that a constant holds."""
        tensor = self._constants.get(name)
        if tensor is None or tensor.data_type not in (onnx.TensorProto.INT64, onnx.TensorProto.INT32):
            return None
        values = onnx.numpy_helper.to_array(tensor)
        return int(values.reshape(())) if values.size == 1 else None


def _walk(graph: onnx.GraphProto, reached: _Origins, sizes: _Sizes) -> Iterator[tuple[str, Bounds]]:
    """What the nodes of a graph, and of graphs in it, accept of the inputs."""
    for tensor in graph.initializer:
        reached.pop(tensor.name, None)
    for node in graph.node:
        sizes.note(node)
        for inner in graphs_of(node):
            yield from _walk(inner, reached, sizes)
        for position, bounds in accepted_bounds(node, sizes):
            for name, (added, in_place) in reached.get(node.input[position], {}).items():
                if in_place or len(bounds.low) == len(bounds.high) == 1:
                    yield name, bounds.minus(added)
        _follow(node, reached, sizes)


def _follow(node: onnx.NodeProto, reached: _Origins, sizes: _Sizes) -> None:
    """Note which inputs' values a node's outputs hold."""
    held: dict[str, tuple[int, bool]] = {}
    if node.op_type in ("Add", "Sub"):
        for place, other in ((0, 1), (1, 0))[: 2 if node.op_type == "Add" else 1]:
            constant = sizes.constant(node.input[other])
            if constant is not None:
                more = constant if node.op_type == "Add" else -constant
                held = {
                    name: (added + more, same)
                    for name, (added, same) in _origins_of(reached, node.input[place]).items()
                }
    elif node.op_type in _MOVES:
        same = node.op_type in _KEEPS_POSITIONS
        for source in node.input if node.op_type == "Concat" else node.input[:1]:
            held |= {name: (added, same and kept) for name, (added, kept) in _origins_of(reached, source).items()}
    if held:
        reached.update(dict.fromkeys(node.output, held))


def _origins_of(reached: _Origins, name: str) -> Mapping[str, tuple[int, bool]]:
    return reached.get(name, {})
