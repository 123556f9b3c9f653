"""TensorFlow name scopes for ONNX nodes. They tell which node each TensorFlow op came from."""

from __future__ import annotations

import re

import onnx

from convnet_core.convert.signature import Signature
from convnet_core.errors import ModelError


def node_scopes(model: onnx.ModelProto) -> list[str]:
    """A unique TensorFlow name scope for each node, as close to its name as TensorFlow allows.

    Names in the signature are reserved, because its inputs and outputs are ops with those names.
    """
    graph = model.graph
    try:
        signature = Signature.of(model)
        used_names = {port.tensorflow.lower() for port in (*signature.inputs, *signature.outputs)}
    except ModelError:  # a model with sequences has no signature, but its nodes have names
        used_names = {value.name.lower() for value in (*graph.input, *graph.output)}
    scopes = []
    for index, node in enumerate(graph.node):
        plain = re.sub(r"[^A-Za-z0-9_.\-]", "_", node.name or f"{node.op_type}_{index}")
        plain = plain if plain[0].isalnum() else f"n{plain}"
        scope, number = plain, 2
        while scope.lower() in used_names:  # TensorFlow's names are case-insensitive
            scope, number = f"{plain}_{number}", number + 1
        used_names.add(scope.lower())
        scopes.append(scope)
    return scopes
