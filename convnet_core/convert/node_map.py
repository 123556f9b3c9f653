"""Map ONNX nodes to the TensorFlow ops they became (by name scope) and to the locations of their outputs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx

from convnet_core.common.tensorflow_import import import_tensorflow
from convnet_core.convert.name_scopes import node_scopes
from convnet_core.convert.node_map_file import ConvertedTensor, ConvertedWeight, NodeMap, NodeMapEntry, TensorFlowOp
from convnet_core.convert.tensor_location import TensorLocation
from convnet_core.convert.traced_function import Traced
from convnet_core.onnx_files.operators import operator_version, opsets_of

_IGNORED_OPS = ("Const", "Placeholder", "NoOp", "ReadVariableOp")


def node_map(model: onnx.ModelProto, concrete: Any, function: Traced) -> NodeMap:
    """Create the node map of a model that was converted to `function` and traced as `concrete`."""
    by_scope: dict[str, list[TensorFlowOp]] = {}
    for op in concrete.graph.get_operations():
        if op.type not in _IGNORED_OPS:
            shapes = tuple(_shape(output) for output in op.outputs)
            inputs = tuple(str(tensor.op.name) for tensor in op.inputs)
            by_scope.setdefault(op.name.split("/")[0], []).append(
                TensorFlowOp(str(op.name), str(op.type), shapes, inputs, _perm(op))
            )
    weights = {tensor.name for tensor in model.graph.initializer}
    captured = {id(value): str(inner.name) for value, inner in concrete.graph.captures}
    opsets = opsets_of(model)
    entries = []
    for node, scope in zip(model.graph.node, node_scopes(model), strict=True):
        ops = tuple(by_scope.get(scope, []))
        tensors = tuple(_tensor(name, function) for name in node.output)
        entries.append(
            NodeMapEntry(
                name=node.name,
                op_type=node.op_type,
                version=operator_version(node, opsets) or 0,
                inputs=tuple(node.input),
                outputs=tuple(node.output),
                ops=ops,
                tensors=tensors,
                weights={name: _weight(name, function, captured) for name in node.input if name in weights},
                became=_outcome(ops, tensors),
            )
        )
    return _resolve_parts(entries)


def _shape(tensor: Any) -> tuple[int | None, ...] | None:
    return None if tensor.shape.rank is None else tuple(tensor.shape.as_list())


def _perm(op: Any) -> tuple[int, ...]:
    order = import_tensorflow().get_static_value(op.inputs[1]) if op.type == "Transpose" else None
    return () if order is None else tuple(int(axis) for axis in order)


def _tensor(name: str, function: Traced) -> ConvertedTensor:
    location = function.locations.get(name, TensorLocation(name))
    value = function.values.get(location.source)
    if value is None:
        return ConvertedTensor("", constant=False, place=None)
    if isinstance(value, np.ndarray) or not hasattr(value, "op"):
        return ConvertedTensor("", constant=True, place=None)
    return ConvertedTensor(str(value.name), constant=False, place=location)


def _weight(name: str, function: Traced, captured: dict[int, str]) -> ConvertedWeight:
    location = function.locations.get(name, TensorLocation(name))
    return ConvertedWeight(**vars(location), constant=captured.get(id(function.values.get(location.source)), ""))


def _outcome(ops: Sequence[TensorFlowOp], tensors: Sequence[ConvertedTensor]) -> str:
    if ops:
        return "ops"
    if any(item.constant for item in tensors):
        return "constant"
    return "layout" if any(item.tensor for item in tensors) else "part"


def _resolve_parts(entries: NodeMap) -> NodeMap:
    """Set `of` in each part to the node that became the whole operator: the first later consumer that is not a part."""
    users: dict[str, list[NodeMapEntry]] = {}
    result = []
    for entry in reversed(entries):
        if entry.became == "part":
            consumers = [user for name in entry.outputs for user in users.get(name, [])]
            entry = dataclasses.replace(entry, of=next((user.of or user.name for user in consumers), ""))
        for name in entry.inputs:
            users.setdefault(name, []).insert(0, entry)
        result.append(entry)
    return result[::-1]
