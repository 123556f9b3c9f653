"""An ONNX model as a Graph: any model that onnx can load, with operators that nobody knows, too."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import onnx
import onnx.defs
import onnx.helper
from google.protobuf.message import Message  # type: ignore[import-untyped]
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, TypeProto

from convnet_core.common.formatting import format_count
from convnet_core.errors import ModelError
from convnet_core.graphs import onnx_tensors
from convnet_core.graphs.graph import Edge, Graph, Node
from convnet_core.graphs.onnx_tensors import array_of, size_of
from convnet_core.onnx_files.operators import operator_version, opsets_of
from convnet_core.onnx_files.tensor_types import dtype_text, type_of

_LONGEST = 200
"""Characters of an attribute that are kept."""


def read(model: ModelProto) -> Graph:
    """The graph of a model, not laid out yet. Raises ModelError where a name in it is no text."""
    if not _is_text(model):
        raise ModelError("a name in the ONNX model is not UTF-8 text", hint="export the model again")
    nodes = tuple(_nodes(model))
    return Graph(
        format="onnx",
        name=model.graph.name,
        nodes=nodes,
        edges=tuple(_edges(model.graph, nodes)),
        tensors=onnx_tensors.read(model),
        properties=_properties(model),
    )


def _is_text(message: Message) -> bool:
    """Whether every text in a message is one: protobuf hands on bytes where it is not UTF-8."""
    for descriptor, value in message.ListFields():
        if descriptor.type in (descriptor.TYPE_STRING, descriptor.TYPE_MESSAGE):
            for item in (value,) if isinstance(value, str | bytes | Message) else value:
                if isinstance(item, bytes) or (isinstance(item, Message) and not _is_text(item)):
                    return False
    return True


def _properties(model: ModelProto) -> dict[str, str]:
    opsets = [f"{item.domain or 'ai.onnx'} {item.version}" for item in model.opset_import]
    made = " ".join(part for part in (model.producer_name, model.producer_version) if part)
    found = {"opset": ", ".join(opsets), "IR version": str(model.ir_version), "made by": made}
    return {name: text for name, text in found.items() if text}


# -- nodes and edges --------------------------------------------------------------------------------


def _nodes(model: ModelProto) -> Iterator[Node]:
    """The inputs that a caller feeds, the operations in the file's order, the outputs."""
    graph, taken = model.graph, _Names()
    opsets = opsets_of(model)
    weights = {tensor.name for tensor in graph.initializer} | {item.values.name for item in graph.sparse_initializer}
    for value in graph.input:
        if value.name not in weights:
            yield Node(taken.unique(value.name or "Input"), value.name, "Input", "input", outputs=(value.name,))
    for node in graph.node:
        yield Node(
            id=taken.unique(node.name or node.op_type),
            name=node.name,
            op=node.op_type,
            version=operator_version(node, opsets),
            domain=node.domain,
            attributes={item.name: _shortened(_text(item)) for item in node.attribute},
            inputs=tuple(node.input),
            outputs=tuple(node.output),
        )
    for value in graph.output:
        yield Node(taken.unique(value.name or "Output"), value.name, "Output", "output", inputs=(value.name,))


class _Names:
    """Gives each node an id of its own; names may be empty, or be there twice."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._next: dict[str, int] = defaultdict(lambda: 2)

    def unique(self, name: str) -> str:
        made = name
        while made in self._taken:
            made = f"{name} ({self._next[name]})"
            self._next[name] += 1
        self._taken.add(made)
        return made


def _edges(graph: GraphProto, nodes: tuple[Node, ...]) -> Iterator[Edge]:
    """From each tensor's maker to its readers; what a subgraph takes from outside counts as read by its node."""
    makers = {name: node.id for node in nodes for name in node.outputs if name}
    captured = iter([_captured(node) for node in graph.node])
    for node in nodes:
        inner = next(captured) if node.kind == "op" else []
        for name in dict.fromkeys((*node.inputs, *inner)):
            if name in makers:
                yield Edge(makers[name], node.id, name)


def _captured(node: NodeProto) -> list[str]:
    """The tensors of the graph around it that the node's subgraphs read."""
    found: list[str] = []
    for inner in _subgraphs(node):
        own = {value.name for value in (*inner.input, *inner.initializer)}
        own.update(item.values.name for item in inner.sparse_initializer)
        own.update(name for item in inner.node for name in item.output)
        read = [name for item in inner.node for name in (*item.input, *_captured(item))]
        read += [value.name for value in inner.output]
        found += [name for name in read if name not in own]
    return found


def _subgraphs(node: NodeProto) -> Iterator[GraphProto]:
    for item in node.attribute:
        if item.type == AttributeProto.GRAPH:
            yield item.g
        yield from item.graphs


# -- attributes ------------------------------------------------------------------------------------


def _text(item: AttributeProto) -> str:
    """An attribute's value in words."""
    if item.ref_attr_name:
        return f"the function's {item.ref_attr_name}"
    try:
        value = onnx.helper.get_attribute_value(item)
    except ValueError:  # a type of attribute that onnx has not
        return ""
    many = item.type >= AttributeProto.FLOATS and item.type not in (
        AttributeProto.SPARSE_TENSOR,
        AttributeProto.TYPE_PROTO,
    )
    if many:
        return f"[{', '.join(_one(part) for part in value[:_LONGEST])}]"
    return _one(value)


def _one(value: Any) -> str:
    match value:
        case float():
            return f"{value:.7g}"  # all that a float32 holds
        case bytes():
            return value.decode("utf-8", "replace")
        case TensorProto():
            return _tensor_text(value)
        case onnx.SparseTensorProto():
            return f"sparse {dtype_text(value.values.data_type)} {list(value.dims)}"
        case GraphProto():
            return f"graph with {format_count(len(value.node), 'node')}"
        case TypeProto():
            return type_of(value)[0]
        case _:
            return str(value)


def _tensor_text(tensor: TensorProto) -> str:
    """The dtype and shape of a tensor, and its values where they are few."""
    about = f"{dtype_text(tensor.data_type)} {list(tensor.dims)}"
    values = array_of(tensor) if size_of(tensor.dims) <= 16 else None
    return about if values is None else f"{about}: {values.tolist()}"


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
