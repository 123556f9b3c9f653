"""Expand one node into several, and the table of operators with expansions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx.defs

from convnet_core.convert.native.ir import Graph, Info, Node
from convnet_core.onnx_files.contrib import DOMAIN

_OPSET = 24
"""The opset of the new nodes."""
_FLOATS = {"float16", "bfloat16", "float32", "float64"}


class Expansion:
    """Collects the nodes that replace `node`. All names are tensor names."""

    def __init__(self, node: Node, graph: Graph) -> None:
        self.node = node
        self.nodes: list[Node] = []
        self._graph = graph

    def input(self, index: int) -> str:
        """The name of an input; "" if omitted."""
        return self.node.inputs[index] if index < len(self.node.inputs) else ""

    def output(self, index: int) -> str:
        """The name of an output; "" if unused."""
        return self.node.outputs[index] if index < len(self.node.outputs) else ""

    def attribute(self, name: str, default: Any) -> Any:
        """An attribute of the node."""
        return self.node.attributes.get(name, default)

    def window(self) -> dict[str, Any]:
        """The node's attributes that describe a sliding window."""
        names = {"auto_pad", "ceil_mode", "count_include_pad", "dilations", "group", "kernel_shape", "pads", "strides"}
        return {name: value for name, value in self.node.attributes.items() if name in names}

    def dtype(self, name: str, default: str) -> str:
        """The NumPy dtype name of a tensor, or `default` if unknown."""
        info = self._graph.infos.get(name)
        return default if info is None else info.dtype

    def rank(self, name: str) -> int | None:
        """The number of dimensions of a tensor; None if unknown."""
        return self._graph.rank(name)

    def value(self, name: str) -> Any:
        """The value of a constant; None for other tensors."""
        return self._graph.constants.get(name)

    def constant(self, value: Any, dtype: str = "float32") -> str:
        """Add a constant and return its name."""
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
        """Add a node and return the name of its first output: `result` or a new name. `more` names further outputs.

        `like` names a tensor with the output's shape. `dtype` is the output's dtype; the default is that of `like` if
        it is floating point, else float32.
        """
        index = len(self.nodes)
        result = result or f"{self.node.outputs[0]}|{index}"
        if result not in self._graph.infos and (info := self._graph.infos.get(like)) is not None:
            self._graph.infos[result] = Info(dtype or (info.dtype if info.dtype in _FLOATS else "float32"), info.shape)
        version = version or int(onnx.defs.get_schema(op, _OPSET).since_version)
        while not inputs[-1]:
            inputs = inputs[:-1]
        name = f"{self.node.name}/{op}_{index}"
        self.nodes.append(Node(op, inputs, (result, *more), attributes, "", version, name, self.node.scope))
        return result


Expand = Callable[[Expansion], str | None]
"""Adds nodes and returns the tensor that replaces the first output, or None to leave the node unchanged."""

EXPANSIONS: dict[tuple[str, str], Expand] = {}
"""By domain and operator."""


def expands(*ops: str, domain: str = DOMAIN) -> Callable[[Expand], Expand]:
    """Register a function for operators."""

    def register(function: Expand) -> Expand:
        EXPANSIONS.update(dict.fromkeys(((domain, op) for op in ops), function))
        return function

    return register
