"""Turn Constant nodes into constants of the graph, so that other passes see their values."""

from __future__ import annotations

import dataclasses

import numpy as np

from convnet_core.convert.native.ir import Graph, Info, Node
from convnet_core.tensors.arrays import Array

_DTYPES = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64, "value_ints": np.int64}


def lift_constants(graph: Graph) -> Graph:
    """Replace numeric Constant nodes by graph constants."""
    constants, infos, nodes = dict(graph.constants), dict(graph.infos), []
    for node in graph.nodes:
        value = _value(node) if node.op == "Constant" and not node.domain else None
        if value is None:
            nodes.append(node)
        else:
            constants[node.outputs[0]] = value
            infos[node.outputs[0]] = Info(value.dtype.name, value.shape)
    return dataclasses.replace(graph, nodes=tuple(nodes), constants=constants, infos=infos)


def _value(node: Node) -> Array | None:
    """The value of a Constant node if it is numeric, else None."""
    ((name, value),) = node.attributes.items()
    if isinstance(value, np.ndarray):
        return value if value.dtype.kind not in "OUS" else None
    return np.array(value, _DTYPES[name]) if name in _DTYPES else None
