"""Names of ONNX nodes as name scopes of a TensorFlow graph; which op belongs to which node is read off them."""

from __future__ import annotations

import re

import onnx

from convnet_core.convert.signature import Signature
from convnet_core.errors import ModelError


def node_scopes(model: onnx.ModelProto) -> list[str]:
    """A TensorFlow name scope for each node: its own name as far as TensorFlow allows, and unique.

    The names of the signature are taken already: its inputs and outputs are ops of these names.
    """
    graph = model.graph
    try:
        signature = Signature.of(model)
        taken = {port.tensorflow.lower() for port in (*signature.inputs, *signature.outputs)}
    except ModelError:  # it takes or gives sequences: it has no signature, but its nodes have names
        taken = {value.name.lower() for value in (*graph.input, *graph.output)}
    scopes = []
    for index, node in enumerate(graph.node):
        plain = re.sub(r"[^A-Za-z0-9_.\-]", "_", node.name or f"{node.op_type}_{index}")
        plain = plain if plain[0].isalnum() else f"n{plain}"
        scope, number = plain, 2
        while scope.lower() in taken:  # TensorFlow's own uniqueness ignores case
            scope, number = f"{plain}_{number}", number + 1
        taken.add(scope.lower())
        scopes.append(scope)
    return scopes
