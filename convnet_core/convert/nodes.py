"""What each ONNX node became in TensorFlow: its ops, read off the name scopes, and where its values are."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx

from convnet_core.convert.onnx_tf import op_version
from convnet_core.convert.places import Place
from convnet_core.convert.scopes import node_scopes
from convnet_core.convert.traced import Traced

_QUIET = ("Const", "Placeholder", "NoOp", "ReadVariableOp")


def node_map(model: onnx.ModelProto, concrete: Any, function: Traced) -> list[dict[str, Any]]:
    """For each ONNX node, in order: `name`, `op_type`, `version`, `inputs`, `outputs`, its TensorFlow `ops` (`name`,
    `type`, `shapes` of what they give, `inputs`: the ops before them), `weights`, and `tensors`: where each of its
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
            entry = {"name": op.name, "type": op.type, "shapes": shapes, "inputs": before}
            by_scope.setdefault(op.name.split("/")[0], []).append(entry)
    weights = {tensor.name for tensor in model.graph.initializer}
    entries = []
    for node, scope in zip(model.graph.node, node_scopes(model), strict=True):
        tensors = [_where(name, function) for name in node.output]
        entries.append(
            {
                "name": node.name,
                "op_type": node.op_type,
                "version": op_version(model, node),
                "inputs": list(node.input),
                "outputs": list(node.output),
                "ops": by_scope.get(scope, []),
                "tensors": tensors,
                "weights": {name: _weight(name, function) for name in node.input if name in weights},
                "became": _became(by_scope.get(scope, []), tensors),
                "of": "",
            }
        )
    _find_wholes(entries)
    return entries


def _shape(tensor: Any) -> list[int | None] | None:
    rank = tensor.shape.rank
    return None if rank is None else tensor.shape.as_list()


def _where(name: str, function: Traced) -> dict[str, Any]:
    """The TensorFlow tensor that holds the value of an ONNX tensor, and its order; without `tensor` where none does."""
    place = function.places.get(name, Place(name))
    value = function.values.get(place.source)
    if value is None:
        return {"tensor": "", "constant": False, "place": None}
    if isinstance(value, np.ndarray) or not hasattr(value, "op"):
        return {"tensor": "", "constant": True, "place": None}
    return {"tensor": value.name, "constant": False, "place": place.to_json()}


def _weight(name: str, function: Traced) -> dict[str, Any]:
    """In which order a weight is kept."""
    return function.places.get(name, Place(name)).to_json()


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
