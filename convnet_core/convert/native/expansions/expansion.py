"""What writes one node out as several, and the table of operators for which that is done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx.defs

from convnet_core.convert.native.ir import Graph, Info, Node
from convnet_core.onnx_files.contrib import DOMAIN

_OPSET = 24
"""The opset of the nodes that are written."""
_FLOATS = {"float16", "bfloat16", "float32", "float64"}


class Expansion:
    """The nodes that take the place of one. Attributes are those of the node; names are those of tensors."""

    def __init__(self, node: Node, graph: Graph) -> None:
        self.node = node
        self.nodes: list[Node] = []
        self._graph = graph

    def input(self, place: int) -> str:
        """The name of an input; "" where it is left out."""
        return self.node.inputs[place] if place < len(self.node.inputs) else ""

    def output(self, place: int) -> str:
        """The name of an output; "" where nobody asks for it."""
        return self.node.outputs[place] if place < len(self.node.outputs) else ""

    def attribute(self, name: str, default: Any) -> Any:
        """An attribute of the node."""
        return self.node.attributes.get(name, default)

    def window(self) -> dict[str, Any]:
        """The attributes of the node that say how a window slides."""
        names = {"auto_pad", "ceil_mode", "count_include_pad", "dilations", "group", "kernel_shape", "pads", "strides"}
        return {name: value for name, value in self.node.attributes.items() if name in names}

    def dtype(self, name: str, default: str) -> str:
        """NumPy's name of a tensor's dtype, where it is known."""
        info = self._graph.infos.get(name)
        return default if info is None else info.dtype

    def rank(self, name: str) -> int | None:
        """The number of dimensions of a tensor, where it is known."""
        return self._graph.rank(name)

    def value(self, name: str) -> Any:
        """A constant; None where the tensor is none."""
        return self._graph.constants.get(name)

    def constant(self, value: Any, dtype: str = "float32") -> str:
        """The name of a new constant."""
        name = f"{self.node.outputs[0]}|{len(self.nodes)}|constant{len(self._graph.constants)}"
        self._graph.constants[name] = array = np.array(value, dtype)
        self._graph.infos[name] = Info(dtype, array.shape)
        return name

    def make(
        self,
        op: str,
        *inputs: str,
        result: str = "",
        more: tuple[str, ...] = (),
        like: str = "",
        dtype: str = "",
        version: int = 0,
        **attributes: Any,
    ) -> str:
        """Add a node; the name of its first result, which is `result` where that is given. `more` names further ones.

        `like` names a tensor of the shape that the result has. `dtype` is the result's dtype: by default that of `like`
        where it is floating point, else float32.
        """
        place = len(self.nodes)
        result = result or f"{self.node.outputs[0]}|{place}"
        if result not in self._graph.infos and (info := self._graph.infos.get(like)) is not None:
            self._graph.infos[result] = Info(dtype or (info.dtype if info.dtype in _FLOATS else "float32"), info.shape)
        version = version or int(onnx.defs.get_schema(op, _OPSET).since_version)
        while not inputs[-1]:
            inputs = inputs[:-1]
        name = f"{self.node.name}/{op}_{place}"
        self.nodes.append(Node(op, inputs, (result, *more), attributes, "", version, name, self.node.scope))
        return result


Expand = Callable[[Expansion], str | None]
"""Adds the nodes; the tensor that is the first result, or None where the node cannot be written out and stays."""

EXPANSIONS: dict[tuple[str, str], Expand] = {}
"""By domain and operator."""


def expands(*ops: str, domain: str = DOMAIN) -> Callable[[Expand], Expand]:
    """Register a function for operators."""

    def register(function: Expand) -> Expand:
        EXPANSIONS.update(dict.fromkeys(((domain, op) for op in ops), function))
        return function

    return register
