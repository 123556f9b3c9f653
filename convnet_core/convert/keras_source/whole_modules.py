"""Modules that Keras has as one layer, such as attention. One call replaces all their nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from convnet_core.convert.keras_source.modules import Module
from convnet_core.convert.keras_source.registry import call
from convnet_core.convert.keras_source.syntax import Call, LayerName, Ref, Statement
from convnet_core.convert.native.ir import Graph, Node
from convnet_core.tensors.arrays import Array

SWAP = (1, 0, 2)
"""[length, n, width] to [n, length, width], or back."""


@dataclass(frozen=True)
class WholeModule:
    """The nodes of one call of a module, the tensors that it takes and the one that it gives."""

    modules: tuple[Module, ...]
    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    output: str


@dataclass(frozen=True)
class Written:
    """What a module's call becomes: statements, and the arrays of its layer in Keras's order."""

    whole: WholeModule
    statements: list[Statement]
    weights: list[Array]


def whole_modules(graph: Graph, modules: Mapping[int, tuple[Module, ...]]) -> dict[int, Written]:
    """By the id of a node: what replaces the call of the module that it belongs to."""
    result = {}
    for around, nodes in _groups(graph, modules).items():
        whole = _whole(graph, around, nodes)
        written = whole and _WRITERS[around[-1].kind](whole, graph)
        if written:
            result.update({id(node): written for node in nodes})
    return result


def _groups(graph: Graph, modules: Mapping[int, tuple[Module, ...]]) -> dict[tuple[Module, ...], list[Node]]:
    groups: dict[tuple[Module, ...], list[Node]] = {}
    for node in graph.nodes:
        around = modules[id(node)]
        depth = next((depth for depth, module in enumerate(around, 1) if module.kind in _WRITERS), None)
        if depth:
            groups.setdefault(around[:depth], []).append(node)
    return groups


def _whole(graph: Graph, around: tuple[Module, ...], nodes: Sequence[Node]) -> WholeModule | None:
    """A group of nodes as one, if a single tensor leaves it."""
    inside = {id(node) for node in nodes}
    made = [name for node in nodes for name in node.outputs]
    inputs = dict.fromkeys(
        name for node in nodes for name in node.inputs if name and name not in made and name not in graph.constants
    )
    used = {name for node in graph.nodes if id(node) not in inside for name in node.inputs} | set(graph.outputs)
    outputs = [name for name in made if name in used]
    return WholeModule(around, tuple(nodes), tuple(inputs), outputs[0]) if len(outputs) == 1 else None


def _self_attention(whole: WholeModule, graph: Graph) -> Written | None:
    """torch.nn.MultiheadAttention of one tensor, whose three projections are one product."""
    if len(whole.inputs) != 1:
        return None
    shape, result = _shape(graph, whole.inputs[0]), _shape(graph, whole.output)
    heads = _heads(whole, graph)
    if shape is None or len(shape) != 3 or shape.count(None) != 1 or heads is None:
        return None
    width = shape[2] or 0
    arrays = _attention_weights(whole, graph, width, heads)
    if arrays is None or result not in (shape, (shape[1], shape[0], width)):
        return None
    x, y, statements = whole.inputs[0], whole.output, []
    if shape[1] is None:
        statements.append(Statement((f"{x}|batch first",), call("ops.transpose", Ref(x), SWAP)))
        x = f"{x}|batch first"
    if result[0] is not None:
        y = f"{y}|batch first"
    name = LayerName.of(whole.modules[-1].path)
    layer = call("layers.MultiHeadAttention", heads, width // heads, name=name)
    statements.append(Statement((y,), Call(layer, (Ref(x), Ref(x)))))
    if y != whole.output:
        statements.append(Statement((whole.output,), call("ops.transpose", Ref(y), SWAP)))
    return Written(whole, statements, arrays)


def _attention_weights(whole: WholeModule, graph: Graph, width: int, heads: int) -> list[Array] | None:
    """Kernel and bias of query, key, value and output, as Keras keeps them: [width, heads, each]."""
    constants = [
        graph.constants[name].T if node.attributes.get("transB") else graph.constants[name]
        for node in whole.nodes
        for name in node.inputs
        if name in graph.constants and graph.constants[name].dtype.kind == "f"
    ]
    products = [value for value in constants if value.ndim == 2]
    if [value.shape for value in products] != [(width, 3 * width), (width, width)] or width % heads:
        return None
    each = width // heads
    bias_in = next((value for value in constants if value.shape == (3 * width,)), np.zeros(3 * width, np.float32))
    bias_out = next((value for value in constants if value.shape == (width,)), np.zeros(width, np.float32))
    kernels, biases = products[0].reshape(width, 3, heads, each), bias_in.reshape(3, heads, each)
    inner = [array for index in range(3) for array in (kernels[:, index], biases[index])]
    return [*inner, products[1].reshape(heads, each, width), bias_out]


def _heads(whole: WholeModule, graph: Graph) -> int | None:
    """The number of heads: the second size of the softmax [n, heads, length, length]."""
    softmax = next((node for node in whole.nodes if node.op == "Softmax"), None)
    shape = _shape(graph, softmax.outputs[0]) if softmax else None
    return shape[1] if shape and len(shape) == 4 else None


def _shape(graph: Graph, tensor: str) -> tuple[int | None, ...] | None:
    info = graph.infos.get(tensor)
    return info.shape if info else None


_WRITERS: dict[str, Callable[[WholeModule, Graph], Written | None]] = {
    "torch.nn.modules.activation.MultiheadAttention": _self_attention,
}
