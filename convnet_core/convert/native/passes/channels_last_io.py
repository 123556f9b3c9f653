"""Move the borders too: images come in and go out channels last, so that no transpose is left there.

Which inputs are images the graph tells: those that an operator on neighbours in space (`channels_last`) takes through
a transpose, whatever was done to each value before it (a cast, a normalisation). An output is one where it comes from
such an operator, or from such an input, through a transpose. A rank says little: [n, words, features] is no image.
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
    """The graph with its image inputs and outputs channels last, noted in `layouts`; its transposes have to be sunk."""
    return _outputs_last(sink_transposes(_inputs_last(graph)))


def _inputs_last(graph: Graph) -> Graph:
    """Each image input is channels last, and put into its former order before it is used."""
    images = [info.name for info in graph.inputs if _is_image(info.name, graph)]
    if not images:
        return graph
    former = {name: f"{name}|first" for name in images}
    turned = [_transpose(name, former[name], to_first(graph.rank(name) or 0)) for name in images]
    graph = _mark_channels_last(graph, images)
    return dataclasses.replace(graph, nodes=(*turned, *(_rename(node, former) for node in graph.nodes)))


def _outputs_last(graph: Graph) -> Graph:
    """Each image output is what its last transpose was made of; other uses of it keep the transpose."""
    makers = {name: node for node in graph.nodes for name in node.outputs}
    images = [name for name in graph.outputs if name in makers and _gives_image(name, makers[name], graph)]
    if not images:
        return graph
    former = {name: f"{name}|first" for name in images}
    nodes = [_rename(node, former) for node in graph.nodes]
    nodes += [
        Node("Identity", makers[name].inputs, (name,), {}, "", 1, f"{name}/layout", makers[name].scope)
        for name in images
    ]
    return dataclasses.replace(_mark_channels_last(graph, images), nodes=tuple(nodes))


def _is_image(name: str, graph: Graph) -> bool:
    """Whether a spatial operator takes an input, through one transpose to channels last."""
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
            for found in (first, last):
                if found.intersection(node.inputs):
                    found.update(output for output in node.outputs if graph.rank(output) == rank)
    return False


def _gives_image(name: str, maker: Node, graph: Graph) -> bool:
    """Whether an output comes from a spatial operator, or an image input, with a transpose at its end."""
    rank = graph.rank(name)
    if rank not in _RANKS or maker.op != "Transpose" or maker.domain or _perm(maker) != to_first(rank):
        return False
    wanted = set(maker.inputs)
    for node in reversed(graph.nodes):
        if wanted.intersection(node.outputs):
            if node.domain == DOMAIN:
                return True
            if node.op in RULES and not node.domain:
                wanted.update(source for source in node.inputs if graph.rank(source) == rank)
    return not wanted.isdisjoint(graph.layouts)


def _mark_channels_last(graph: Graph, names: list[str]) -> Graph:
    """The graph with these inputs or outputs declared channels last."""
    infos, layouts, places = dict(graph.infos), dict(graph.layouts), dict(graph.places)
    for name in names:
        info = infos[name]
        assert info.shape is not None, "its rank is known"
        layouts[name] = to_last(len(info.shape))
        infos[name] = Info(info.dtype, tuple(info.shape[axis] for axis in layouts[name]))
        infos[f"{name}|first"] = info
        places[name] = TensorLocation(name, to_first(len(info.shape)))
    inputs = tuple(
        dataclasses.replace(item, shape=infos[item.name].shape or ()) if item.name in names else item
        for item in graph.inputs
    )
    return dataclasses.replace(graph, inputs=inputs, infos=infos, layouts=layouts, places=places)


def _rename(node: Node, names: Mapping[str, str]) -> Node:
    """A node, and the graphs inside it, where tensors have other names."""

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
