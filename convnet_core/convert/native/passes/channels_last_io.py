"""Make image inputs and outputs channels last too, so that no transpose remains at the ends of the graph.

An input is an image if a spatial operator (`channels_last`) reads it through a transpose, possibly after elementwise
operators such as a cast or a normalization. An output is an image if it comes through a transpose from such an operator
or input. The rank alone is not enough: [n, words, features] is not an image.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from convnet_core.convert.native.ir import Graph, Info, Node
from convnet_core.convert.native.passes.channels_last import DOMAIN, to_first, to_last
from convnet_core.convert.native.passes.sink_transposes import sink_transposes
from convnet_core.convert.native.passes.transpose_rules import RULES
from convnet_core.convert.tensor_location import TensorLocation

_RANKS = (3, 4, 5)


def channels_last_io(graph: Graph) -> Graph:
    """Make image inputs and outputs channels last and record them in `layouts`. Needs a graph with sunk transposes."""
    return _outputs_last(sink_transposes(_inputs_last(graph)))


def _inputs_last(graph: Graph) -> Graph:
    """Make image inputs channels last, with a transpose back before their first use."""
    images = [info.name for info in graph.inputs if _is_image(info.name, graph)]
    if not images:
        return graph
    renames = {name: f"{name}|first" for name in images}
    transposes = [_transpose(name, renames[name], to_first(graph.rank(name) or 0)) for name in images]
    graph = _mark_channels_last(graph, images)
    return dataclasses.replace(graph, nodes=(*transposes, *(_rename(node, renames) for node in graph.nodes)))


def _outputs_last(graph: Graph) -> Graph:
    """Bypass the last transpose of each image output. Other uses of the output keep the transpose."""
    producers = {name: node for node in graph.nodes for name in node.outputs}
    images = [name for name in graph.outputs if name in producers and _gives_image(name, producers[name], graph)]
    if not images:
        return graph
    renames = {name: f"{name}|first" for name in images}
    nodes = [_rename(node, renames) for node in graph.nodes]
    nodes += [
        Node("Identity", producers[name].inputs, (name,), {}, "", 1, f"{name}/layout", producers[name].scope)
        for name in images
    ]
    return dataclasses.replace(_mark_channels_last(graph, images), nodes=tuple(nodes))


def _is_image(name: str, graph: Graph) -> bool:
    """Whether a spatial operator reads an input through one transpose to channels last."""
    rank = graph.rank(name)
    if rank not in _RANKS or name in graph.outputs:
        return False
    first, last = {name}, set[str]()
    for node in graph.nodes:
        if node.domain == DOMAIN and node.inputs[0] in last:
            return True
        if node.domain:
            continue
        if node.op == "Transpose" and node.inputs[0] in first and _perm(node) == to_last(rank):
            last.update(node.outputs)
        elif node.op in RULES:
            for names in (first, last):
                if names.intersection(node.inputs):
                    names.update(output for output in node.outputs if graph.rank(output) == rank)
    return False


def _gives_image(name: str, producer: Node, graph: Graph) -> bool:
    """Whether an output comes from a spatial operator or image input and ends with a transpose."""
    rank = graph.rank(name)
    if rank not in _RANKS or producer.op != "Transpose" or producer.domain or _perm(producer) != to_first(rank):
        return False
    sources = set(producer.inputs)
    for node in reversed(graph.nodes):
        if sources.intersection(node.outputs):
            if node.domain == DOMAIN:
                return True
            if node.op in RULES and not node.domain:
                sources.update(source for source in node.inputs if graph.rank(source) == rank)
    return not sources.isdisjoint(graph.layouts)


def _mark_channels_last(graph: Graph, names: list[str]) -> Graph:
    """Declare these inputs or outputs as channels last."""
    infos, layouts, locations = dict(graph.infos), dict(graph.layouts), dict(graph.locations)
    for name in names:
        info = infos[name]
        assert info.shape is not None, "its rank is known"
        layouts[name] = to_last(len(info.shape))
        infos[name] = Info(info.dtype, tuple(info.shape[axis] for axis in layouts[name]))
        infos[f"{name}|first"] = info
        locations[name] = TensorLocation(name, to_first(len(info.shape)))
    inputs = tuple(
        dataclasses.replace(item, shape=infos[item.name].shape or ()) if item.name in names else item
        for item in graph.inputs
    )
    return dataclasses.replace(graph, inputs=inputs, infos=infos, layouts=layouts, locations=locations)


def _rename(node: Node, names: Mapping[str, str]) -> Node:
    """Rename tensors in a node and its subgraphs."""

    def inner(graph: Graph) -> Graph:
        outputs = tuple(names.get(name, name) for name in graph.outputs)
        return dataclasses.replace(graph, outputs=outputs, nodes=tuple(_rename(item, names) for item in graph.nodes))

    return dataclasses.replace(
        node,
        inputs=tuple(names.get(name, name) for name in node.inputs),
        outputs=tuple(names.get(name, name) for name in node.outputs),
        attributes={key: inner(value) if isinstance(value, Graph) else value for key, value in node.attributes.items()},
    )


def _perm(node: Node) -> tuple[int, ...]:
    return tuple(node.attributes.get("perm") or ())


def _transpose(source: str, result: str, perm: tuple[int, ...]) -> Node:
    return Node("Transpose", (source,), (result,), {"perm": list(perm)}, "", 1, f"{result}/layout", "layout")
