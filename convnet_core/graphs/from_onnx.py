"""Convert an ONNX model to a Graph. Accepts any model that onnx can load, even with unknown operators."""

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
from convnet_core.graphs.modules import Modules
from convnet_core.graphs.onnx_tensors import array_of, element_count
from convnet_core.language import _
from convnet_core.onnx_files.operators import operator_version, opsets_of
from convnet_core.onnx_files.tensor_types import dtype_text, type_of

_MAX_ATTRIBUTE = 200
"""Maximum length of an attribute's text, and maximum number of items of a list."""


def read(model: ModelProto) -> Graph:
    """The graph of a model. Raises ModelError if a name is not UTF-8."""
    if not _is_text(model):
        raise ModelError(_("a name in the ONNX model is not UTF-8 text"), hint=_("export the model again"))
    modules = Modules()
    nodes = tuple(_nodes(model, modules))
    return Graph(
        format="onnx",
        name=model.graph.name,
        nodes=nodes,
        edges=tuple(_edges(model.graph, nodes)),
        tensors=onnx_tensors.read(model),
        modules=modules.classes,
        properties=_properties(model),
    )


def _is_text(message: Message) -> bool:
    """Whether all strings in a message are UTF-8; protobuf returns the others as bytes."""
    for descriptor, value in message.ListFields():
        if descriptor.type in (descriptor.TYPE_STRING, descriptor.TYPE_MESSAGE):
            for item in (value,) if isinstance(value, str | bytes | Message) else value:
                if isinstance(item, bytes) or (isinstance(item, Message) and not _is_text(item)):
                    return False
    return True


def _properties(model: ModelProto) -> dict[str, str]:
    opsets = [f"{item.domain or 'ai.onnx'} {item.version}" for item in model.opset_import]
    producer = " ".join(part for part in (model.producer_name, model.producer_version) if part)
    properties = {"opset": ", ".join(opsets), "IR version": str(model.ir_version), "made by": producer}
    return {name: text for name, text in properties.items() if text}


# -- nodes and edges --------------------------------------------------------------------------------


def _nodes(model: ModelProto, modules: Modules) -> Iterator[Node]:
    """The inputs without initializers, the operations in file order, and the outputs."""
    graph, names = model.graph, _UniqueNames()
    opsets = opsets_of(model)
    weights = {tensor.name for tensor in graph.initializer} | {item.values.name for item in graph.sparse_initializer}
    for value in graph.input:
        if value.name not in weights:
            yield Node(names.unique(value.name or "Input"), value.name, "Input", "input", outputs=(value.name,))
    for node in graph.node:
        version = operator_version(node, opsets)
        yield Node(
            id=names.unique(node.name or node.op_type),
            name=node.name,
            op=node.op_type,
            version=version,
            domain=node.domain,
            attributes={item.name: _shorten(_text(item)) for item in node.attribute},
            inputs=tuple(node.input),
            outputs=tuple(node.output),
            modules=modules.of(node),
            roles=_roles(node, version),
        )
    for value in graph.output:
        yield Node(names.unique(value.name or "Output"), value.name, "Output", "output", inputs=(value.name,))


def _roles(node: NodeProto, version: int | None) -> tuple[str, ...]:
    """The names of the operator's inputs in its definition; () if onnx does not know it."""
    if version is None or not onnx.defs.has(node.op_type, node.domain):
        return ()
    schema = onnx.defs.get_schema(node.op_type, version, node.domain)
    return tuple(item.name for item in schema.inputs[: len(node.input)])


class _UniqueNames:
    """Generates unique node ids from names, which may be empty or repeated."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._next: dict[str, int] = defaultdict(lambda: 2)

    def unique(self, name: str) -> str:
        unique_name = name
        while unique_name in self._taken:
            unique_name = f"{name} ({self._next[name]})"
            self._next[name] += 1
        self._taken.add(unique_name)
        return unique_name


def _edges(graph: GraphProto, nodes: tuple[Node, ...]) -> Iterator[Edge]:
    """Edges from the node that produces a tensor to the nodes that read it, including reads in their subgraphs."""
    producers = {name: node.id for node in nodes for name in node.outputs if name}
    captured = iter([_captured(node) for node in graph.node])
    for node in nodes:
        inner = next(captured) if node.kind == "op" else []
        for name in dict.fromkeys((*node.inputs, *inner)):
            if name in producers:
                yield Edge(producers[name], node.id, name)


def _captured(node: NodeProto) -> list[str]:
    """The tensors of the outer graph that the node's subgraphs read."""
    captured: list[str] = []
    for inner in _subgraphs(node):
        local = {value.name for value in (*inner.input, *inner.initializer)}
        local.update(item.values.name for item in inner.sparse_initializer)
        local.update(name for item in inner.node for name in item.output)
        reads = [name for item in inner.node for name in (*item.input, *_captured(item))]
        reads += [value.name for value in inner.output]
        captured += [name for name in reads if name not in local]
    return captured


def _subgraphs(node: NodeProto) -> Iterator[GraphProto]:
    for item in node.attribute:
        if item.type == AttributeProto.GRAPH:
            yield item.g
        yield from item.graphs


# -- attributes ------------------------------------------------------------------------------------


def _text(item: AttributeProto) -> str:
    """An attribute's value as text."""
    if item.ref_attr_name:
        return f"the function's {item.ref_attr_name}"
    try:
        value = onnx.helper.get_attribute_value(item)
    except ValueError:  # an attribute type that onnx does not know
        return ""
    is_list = item.type >= AttributeProto.FLOATS and item.type not in (
        AttributeProto.SPARSE_TENSOR,
        AttributeProto.TYPE_PROTO,
    )
    if is_list:
        return f"[{', '.join(_value_text(part) for part in value[:_MAX_ATTRIBUTE])}]"
    return _value_text(value)


def _value_text(value: Any) -> str:
    match value:
        case float():
            return f"{value:.7g}"  # the precision of a float32
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
    """The dtype and shape of a tensor, and its values if there are few."""
    type_text = f"{dtype_text(tensor.data_type)} {list(tensor.dims)}"
    values = array_of(tensor) if element_count(tensor.dims) <= 16 else None
    return type_text if values is None else f"{type_text}: {values.tolist()}"


def _shorten(text: str) -> str:
    return text if len(text) <= _MAX_ATTRIBUTE else f"{text[:_MAX_ATTRIBUTE]}…"
