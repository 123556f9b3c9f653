"""What each ONNX node became in TensorFlow: its ops, read off the name scopes, and where its values are."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx

from convnet_core.common.tensorflow_import import import_tensorflow
from convnet_core.convert.name_scopes import node_scopes
from convnet_core.convert.tensor_location import TensorLocation
from convnet_core.convert.traced_function import Traced
from convnet_core.onnx_files.operators import operator_version, opsets_of

_QUIET = ("Const", "Placeholder", "NoOp", "ReadVariableOp")


def node_map(model: onnx.ModelProto, concrete: Any, function: Traced) -> list[dict[str, Any]]:
    """For each ONNX node, in order: `name`, `op_type`, `version`, `inputs`, `outputs`, its TensorFlow `ops` (`name`,
    `type`, `shapes` of what they give, `inputs`: the ops before them,
    `perm` of a transpose), `weights`, and `tensors`: where each of its
    outputs is.

    `became` is "ops"; "constant" where it was computed while converting; "layout" where a transpose became the order of
    its source's dimensions; "part" where it is a part of the operator that the node `of` became. Constants and
    placeholders of weights are no ops.
    """
    by_scope: dict[str, list[dict[str, Any]]] = {}
    for op in concrete.graph.get_operations():
        if op.type not in _QUIET:
            shapes = [_shape(output) for output in op.outputs]
            before = [tensor.op.name for tensor in op.inputs]
            entry = {"name": op.name, "type": op.type, "shapes": shapes, "inputs": before, "perm": _perm(op)}
            by_scope.setdefault(op.name.split("/")[0], []).append(entry)
    weights = {tensor.name for tensor in model.graph.initializer}
    captured = {id(value): inner.name for value, inner in concrete.graph.captures}
    opsets = opsets_of(model)
    entries = []
    for node, scope in zip(model.graph.node, node_scopes(model), strict=True):
        tensors = [_where(name, function) for name in node.output]
        entries.append(
            {
                "name": node.name,
                "op_type": node.op_type,
                "version": operator_version(node, opsets) or 0,
                "inputs": list(node.input),
                "outputs": list(node.output),
                "ops": by_scope.get(scope, []),
                "tensors": tensors,
                "weights": {name: _weight(name, function, captured) for name in node.input if name in weights},
                "became": _became(by_scope.get(scope, []), tensors),
                "of": "",
            }
        )
    _find_wholes(entries)
    return entries


def _shape(tensor: Any) -> list[int | None] | None:
    rank = tensor.shape.rank
    return None if rank is None else tensor.shape.as_list()


def _perm(op: Any) -> list[int]:
    """The order into which a transpose puts the dimensions; empty for other ops, and where it is not constant."""
    order = import_tensorflow().get_static_value(op.inputs[1]) if op.type == "Transpose" else None
    return [] if order is None else [int(axis) for axis in order]


def _where(name: str, function: Traced) -> dict[str, Any]:
    """The TensorFlow tensor that holds the value of an ONNX tensor, and its order; without `tensor` where none does."""
    location = function.locations.get(name, TensorLocation(name))
    value = function.values.get(location.source)
    if value is None:
        return {"tensor": "", "constant": False, "place": None}
    if isinstance(value, np.ndarray) or not hasattr(value, "op"):
        return {"tensor": "", "constant": True, "place": None}
    return {"tensor": value.name, "constant": False, "place": location.to_json()}


def _weight(name: str, function: Traced, captured: dict[int, str]) -> dict[str, Any]:
    """In which order a weight is kept, and the `constant` of the frozen graph that it is, where it is no variable."""
    location = function.locations.get(name, TensorLocation(name))
    return {**location.to_json(), "constant": captured.get(id(function.values.get(location.source)), "")}


def _became(ops: list[dict[str, Any]], tensors: list[dict[str, Any]]) -> str:
    if ops:
        return "ops"
    if any(item["constant"] for item in tensors):
        return "constant"
    return "layout" if any(item["tensor"] for item in tensors) else "part"


def _find_wholes(entries: list[dict[str, Any]]) -> None:
    """For each part, name the node that became the whole: the first after it, along its values, that has ops."""
    users: dict[str, list[dict[str, Any]]] = {}
    for entry in reversed(entries):
        if entry["became"] == "part":
            nexts = [user for name in entry["outputs"] for user in users.get(name, [])]
            entry["of"] = next((user["of"] or user["name"] for user in nexts), "")
        for name in entry["inputs"]:
            users.setdefault(name, []).insert(0, entry)
