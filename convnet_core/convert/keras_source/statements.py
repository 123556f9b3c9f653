"""A graph as statements in Keras: from the outputs back, so that only what they need is written."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field

from convnet_core.convert.keras_source.modules import Module, Placed
from convnet_core.convert.keras_source.registry import Context, Path, Surroundings, handler_of
from convnet_core.convert.keras_source.syntax import refs
from convnet_core.convert.keras_source.tidy import fuse_activations, leave_out_aliases
from convnet_core.convert.keras_source.whole_modules import Written, whole_modules
from convnet_core.convert.native.ir import Graph, Node, use_counts
from convnet_core.errors import ConversionError
from convnet_core.language import _
from convnet_core.tensors.arrays import Array


@dataclass
class Statements:
    """The statements of a graph, and the arrays of each layer in the order of its weights in Keras."""

    placed: list[Placed] = field(default_factory=list)
    weights: dict[Path, list[Array]] = field(default_factory=dict)


def write_statements(graph: Graph, modules: Mapping[str, tuple[Module, ...]]) -> Statements:
    """Write the nodes of a graph; `modules` are those around each name scope.

    Raises ConversionError, with the node's name, for a node that this target lacks.
    """
    around = {id(node): modules.get(node.scope, ()) for node in graph.nodes}
    _hoist_layouts(graph, around)
    wholes = whole_modules(graph, around)
    producers = {name: node for node in graph.nodes for name in node.outputs if name}
    surroundings = Surroundings(graph, producers, use_counts(graph))
    result, needed, parts = Statements(), set(graph.outputs), list[list[Placed]]()
    for node in reversed(graph.nodes):
        if not needed.intersection(node.outputs):
            continue
        whole = wholes.get(id(node))
        if whole is None:
            part = _write_node(node, around[id(node)], surroundings, result)
        elif whole.whole.output in node.outputs:
            part = _write_whole(whole, result)
        else:
            continue
        needed.update(name for item in part for name in refs(item.statement.value))
        parts.append(part)
    placed = list(itertools.chain.from_iterable(reversed(parts)))
    result.placed = fuse_activations(leave_out_aliases(placed, graph.outputs), graph.outputs)
    return result


def _write_node(
    node: Node, modules: tuple[Module, ...], surroundings: Surroundings, result: Statements
) -> list[Placed]:
    handler = handler_of(node)
    if handler is None:
        raise ConversionError(_("{op} (node {name}) has no code in Keras yet", op=node.op, name=repr(node.name)))
    context = Context(node, surroundings, modules[-1].path if modules else (node.scope,))
    try:
        handler(context)
    except ConversionError as error:
        raise ConversionError(
            _("{op} (node {name}): {error}", op=node.op, name=repr(node.name), error=error), error.hint
        ) from error
    result.weights |= context.weights
    return [Placed(statement, modules) for statement in context.statements]


def _write_whole(written: Written, result: Statements) -> list[Placed]:
    result.weights[written.whole.modules[-1].path] = list(written.weights)
    return [Placed(statement, written.whole.modules) for statement in written.statements]


def _hoist_layouts(graph: Graph, around: dict[int, tuple[Module, ...]]) -> None:
    """Move the transposes that the converter added out of modules that they only lead into."""
    places = {name: around[id(node)] for node in graph.nodes for name in node.outputs}
    for node in graph.nodes:
        if node.op == "Transpose" and node.name.endswith("/layout"):
            pairs = zip(places.get(node.inputs[0], ()), around[id(node)], strict=False)
            same = itertools.takewhile(lambda pair: pair[0] == pair[1], pairs)
            around[id(node)] = places[node.outputs[0]] = tuple(module for module, _ in same)
