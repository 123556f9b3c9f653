"""Put the nodes of an ONNX model into an order in which each comes after what it reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter

import onnx

from convnet_core.errors import ConversionError
from convnet_core.onnx_files.functions import graphs_of

_MOST_SHOWN = 6  # nodes of a cycle


def sort_nodes(model: onnx.ModelProto) -> Iterator[str]:
    """Sort the nodes of the graph, of graphs inside it and of functions, where they need it; a line where one did.

    Raises ConversionError where nodes need each other in a ring, where a node reads what nothing gives, and where
    nothing gives an output.
    """
    graph = model.graph
    moved = _sort_in_place(graph.node, _initial_names(graph), "the model")
    for function in model.functions:
        moved |= _sort_in_place(function.node, set(function.input), f"the function {function.name!r}")
    if not graph.output:
        raise ConversionError("the model has no outputs", hint="name what it gives in `graph.output`")
    made = _initial_names(graph).union(*(node.output for node in graph.node))
    for value in graph.output:
        if value.name not in made:
            raise ConversionError(
                f"nothing in the model gives its output {value.name!r}",
                hint="the name is misspelled, or the node that gave it was removed",
            )
    if moved:
        yield "nodes stood before what they read, and were put in order"


def _initial_names(graph: onnx.GraphProto) -> set[str]:
    """The tensors that are there before a graph's nodes."""
    known = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    return known | {tensor.values.name for tensor in graph.sparse_initializer}


def _sort_in_place(nodes: Sequence[onnx.NodeProto], known: set[str], where: str = "") -> bool:
    """Sort nodes in place, and those of graphs inside them; whether any was moved.

    `known` is there before them. Without `where`, in a graph inside a node, other names come from around it.
    """
    makers = {name: place for place, node in enumerate(nodes) for name in node.output if name}
    made, needs, moved, ordered = set(known), list[list[str]](), False, True
    for node in nodes:
        inner = list(graphs_of(node))
        for graph in inner:
            moved |= _sort_in_place(graph.node, _initial_names(graph))
        names = [name for name in (*node.input, *sorted(set[str]().union(*map(_outer_names, inner)))) if name]
        for name in names:
            if where and name not in known and name not in makers:
                raise ConversionError(
                    f"{node.op_type} (node {node.name!r}) reads {name!r}, which nothing in {where} gives",
                    hint="no input, initializer or other node has that name: export the model again",
                )
            ordered &= name in made or name not in makers
        made.update(node.output)
        needs.append(names)
    if not ordered:
        copies = [onnx.NodeProto.FromString(nodes[place].SerializeToString()) for place in _order(nodes, needs, makers)]
        for node, copy in zip(nodes, copies, strict=True):
            node.CopyFrom(copy)
    return moved or not ordered


def _order(nodes: Sequence[onnx.NodeProto], needs: list[list[str]], makers: dict[str, int]) -> list[int]:
    """The places of the nodes, each after those whose results it reads."""
    before = {place: [makers[name] for name in names if name in makers] for place, names in enumerate(needs)}
    try:
        return list(TopologicalSorter(before).static_order())
    except CycleError as error:
        ring = [nodes[place].name or nodes[place].op_type for place in error.args[1][:_MOST_SHOWN]]
        raise ConversionError(
            f"nodes need each other's results in a ring: {' → '.join(ring)}",
            hint="ONNX has no cycles: write the repetition as a Loop node, and export it again",
        ) from error


def _outer_names(graph: onnx.GraphProto) -> set[str]:
    """What a graph inside a node reads of those around it."""
    own = _initial_names(graph).union(*(node.output for node in graph.node))
    read = {value.name for value in graph.output}.union(*(node.input for node in graph.node))
    for node in graph.node:
        read = read.union(*map(_outer_names, graphs_of(node)))
    return read - own - {""}
