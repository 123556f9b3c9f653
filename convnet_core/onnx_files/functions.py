"""Nodes in subgraphs, and the size of a model after its functions are inlined."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from itertools import chain

import onnx

from convnet_core.errors import ModelError
from convnet_core.language import _

_NAME_LENGTH = 80


def walk_nodes(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    """The nodes and all nodes in their subgraphs."""
    pending = list(nodes)
    while pending:
        node = pending.pop()
        yield node
        for attribute in node.attribute:
            for graph in _graphs(attribute):
                pending.extend(graph.node)


def graphs_of(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """The subgraphs of a node: branches and bodies."""
    for attribute in node.attribute:
        yield from _graphs(attribute)


def expanded_size(model: onnx.ModelProto, max_nodes: int, name: str, hint: str) -> int:
    """The number of nodes after inlining, where each call also counts as a node. Takes time linear in the file size.

    Raises ModelError if a function is recursive, takes a graph as an attribute, or expands to over `max_nodes` nodes.
    """
    called: dict[str, Counter[str]] = {}
    for function in model.functions:
        called.setdefault(_identity(function.domain, function.name, function.overload), Counter()).update(
            _operator(node) for node in walk_nodes(function.node)
        )
    _refuse_graph_attributes(model, set(called), name)
    counts: dict[str, int] = {}
    for operator in _callees_first(called, name):
        counts[operator] = 1 + sum(times * counts[inner] for inner, times in called.get(operator, {}).items())
        if counts[operator] > max_nodes:
            raise ModelError(
                _(
                    "{name}: the function {function} expands to {count:,} nodes; the limit is {limit:,}",
                    name=name,
                    function=_display(operator),
                    count=counts[operator],
                    limit=max_nodes,
                ),
                hint=hint,
            )
    return sum(counts.get(_operator(node), 1) for node in walk_nodes(model.graph.node))


def _callees_first(called: dict[str, Counter[str]], name: str) -> list[str]:
    """All functions and operators, callees first."""
    try:
        return list(TopologicalSorter(called).static_order())
    except CycleError as error:
        cycle: list[str] = error.args[1]  # each is called by the next; the last equals the first
        first = cycle[0]
        message = _("{file}: the function {function} calls itself", file=name, function=_display(first))
        if cycle[-2] != first:
            message = _(
                "{file}: the function {function} calls itself, through {other}",
                file=name,
                function=_display(first),
                other=_display(cycle[-2]),
            )
        raise ModelError(
            message,
            hint=_("ONNX has no recursion: write it as a Loop node and export again"),
        ) from error


def _refuse_graph_attributes(model: onnx.ModelProto, functions: set[str], name: str) -> None:
    """Reject functions that take a graph: it may call them again, which multiplies the size at each level."""
    in_calls = (
        _operator(node)
        for part in (model.graph, *model.functions)
        for node in walk_nodes(part.node)
        if _operator(node) in functions and any(map(_graphs, node.attribute))
    )
    in_defaults = (
        _identity(function.domain, function.name, function.overload)
        for function in model.functions
        if any(map(_graphs, function.attribute_proto))
    )
    operator = next(chain(in_calls, in_defaults), None)
    if operator is not None:
        raise ModelError(
            _("{name}: the function {function} takes a graph as an attribute", name=name, function=_display(operator)),
            hint=_("export again with the graph inside the function, or without functions"),
        )


def _graphs(attribute: onnx.AttributeProto) -> tuple[onnx.GraphProto, ...]:
    return (*((attribute.g,) if attribute.HasField("g") else ()), *attribute.graphs)


def _operator(node: onnx.NodeProto) -> str:
    return _identity(node.domain, node.op_type, node.overload)


def _identity(domain: str, name: str, overload: str) -> str:
    """A single name for what the checker (which joins by two colons) or the inliner (by one) treats as one function."""
    return re.sub(":+", ":", f"{'' if domain == 'ai.onnx' else domain}:{name}:{overload}").strip(":")


def _display(operator: str) -> str:
    return repr(operator[:_NAME_LENGTH])
