"""Sort the nodes of an ONNX model topologically."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter

import onnx

from convnet_core.errors import ConversionError
from convnet_core.language import _
from convnet_core.onnx_files.functions import graphs_of

_MAX_SHOWN = 6  # nodes of a cycle


def sort_nodes(model: onnx.ModelProto) -> Iterator[str]:
    """Sort the nodes of the graph, its subgraphs and functions where necessary. Yields a note if any node moved.

    Raises ConversionError if nodes form a cycle, if nothing produces a node's input or a model output, or if the model
    has no outputs.
    """
    graph = model.graph
    moved = _sort_in_place(graph.node, _initial_names(graph), _("the model"))
    for function in model.functions:
        moved |= _sort_in_place(function.node, set(function.input), _("the function {name!r}", name=function.name))
    if not graph.output:
        raise ConversionError(_("the model has no outputs"), hint=_("list its outputs in `graph.output`"))
    available = _initial_names(graph).union(*(node.output for node in graph.node))
    for value in graph.output:
        if value.name not in available:
            raise ConversionError(
                _("nothing in the model produces its output {name!r}", name=value.name),
                hint=_("the name is misspelled, or the node that produced it was removed"),
            )
    if moved:
        yield _("nodes came before nodes that they depend on, and were sorted")


def _initial_names(graph: onnx.GraphProto) -> set[str]:
    """Names of tensors that exist before a graph's nodes: inputs and initializers."""
    names = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    return names | {tensor.values.name for tensor in graph.sparse_initializer}


def _sort_in_place(nodes: Sequence[onnx.NodeProto], initial: set[str], where: str = "") -> bool:
    """Sort nodes and their subgraphs in place. Returns whether any node moved.

    `initial` names the tensors that exist before them. An empty `where` means a subgraph, whose nodes may also read
    outer tensors.
    """
    producers = {name: index for index, node in enumerate(nodes) for name in node.output if name}
    available, needs, moved, ordered = set(initial), list[list[str]](), False, True
    for node in nodes:
        inner = list(graphs_of(node))
        for graph in inner:
            moved |= _sort_in_place(graph.node, _initial_names(graph))
        names = [name for name in (*node.input, *sorted(set[str]().union(*map(_outer_names, inner)))) if name]
        for name in names:
            if where and name not in initial and name not in producers:
                raise ConversionError(
                    _(
                        "{op} (node {node!r}) reads {name!r}, which nothing in {where} produces",
                        op=node.op_type,
                        node=node.name,
                        name=name,
                        where=where,
                    ),
                    hint=_("no input, initializer or other node has that name: export the model again"),
                )
            ordered &= name in available or name not in producers
        available.update(node.output)
        needs.append(names)
    if not ordered:
        copies = [
            onnx.NodeProto.FromString(nodes[index].SerializeToString()) for index in _order(nodes, needs, producers)
        ]
        for node, copy in zip(nodes, copies, strict=True):
            node.CopyFrom(copy)
    return moved or not ordered


def _order(nodes: Sequence[onnx.NodeProto], needs: list[list[str]], producers: dict[str, int]) -> list[int]:
    """The indices of the nodes in topological order."""
    dependencies = {
        index: [producers[name] for name in names if name in producers] for index, names in enumerate(needs)
    }
    try:
        return list(TopologicalSorter(dependencies).static_order())
    except CycleError as error:
        cycle = [nodes[index].name or nodes[index].op_type for index in error.args[1][:_MAX_SHOWN]]
        raise ConversionError(
            _("nodes depend on each other in a cycle: {cycle}", cycle=" → ".join(cycle)),
            hint=_("ONNX has no cycles: write the repetition as a Loop node and export again"),
        ) from error


def _outer_names(graph: onnx.GraphProto) -> set[str]:
    """Names of outer tensors that a subgraph reads."""
    local = _initial_names(graph).union(*(node.output for node in graph.node))
    read = {value.name for value in graph.output}.union(*(node.input for node in graph.node))
    for node in graph.node:
        read = read.union(*map(_outer_names, graphs_of(node)))
    return read - local - {""}
