"""Which TensorFlow ops each ONNX node became, read off the name scopes of the traced graph."""

from __future__ import annotations

from typing import Any

import onnx

from convnet_core.convert.onnx_tf import op_version
from convnet_core.convert.scopes import node_scopes


def node_map(model: onnx.ModelProto, concrete: Any) -> list[dict[str, Any]]:
    """For each ONNX node, in order: `name`, `op_type`, `version`, `inputs`, `outputs`, and its TensorFlow
    `ops` (`name`, `type`). Constants and placeholders of weights are left out.
    """
    by_scope: dict[str, list[dict[str, str]]] = {}
    for op in concrete.graph.get_operations():
        if op.type not in ("Const", "Placeholder", "NoOp", "ReadVariableOp"):
            by_scope.setdefault(op.name.split("/")[0], []).append({"name": op.name, "type": op.type})
    return [
        {
            "name": node.name,
            "op_type": node.op_type,
            "version": op_version(model, node),
            "inputs": list(node.input),
            "outputs": list(node.output),
            "ops": by_scope.get(scope, []),
        }
        for node, scope in zip(model.graph.node, node_scopes(model), strict=True)
    ]
