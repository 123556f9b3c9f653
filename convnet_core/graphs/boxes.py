"""A model's graph as a diagram: what a box says of a node."""

from __future__ import annotations

from itertools import zip_longest

from convnet_core.graphs.diagram import Box, Diagram, Link
from convnet_core.graphs.families import family_of
from convnet_core.graphs.graph import Graph, Node, Tensor

_MOST_LINES, _LONGEST = 8, 34
"""The most lines of a box, and the most characters of a line."""

_USUAL = {
    "1": ("strides", "dilations", "group", "alpha", "beta", "stash_type", "allowzero"),
    "0": (
        *("pads", "output_padding", "ceil_mode", "storage_order", "count_include_pad", "transA", "transB"),
        *("allowzero", "noop_with_empty_axes"),
    ),
    "NOTSET": ("auto_pad",),
}
"""Attributes that say nothing if all their values are this one."""


def diagram_of(graph: Graph) -> Diagram:
    """The diagram of a model. Weights are lines in the boxes of the nodes that read them."""
    return Diagram(
        boxes=tuple(_box(graph, node) for node in graph.nodes),
        links=tuple(
            Link(edge.source, edge.target, edge.tensor, _shape(tensor))
            for edge, tensor in zip(graph.edges, graph.tensors_of(edge.tensor for edge in graph.edges), strict=True)
        ),
        kinds=graph.modules,
    )


def _box(graph: Graph, node: Node) -> Box:
    lines = [*_weights(graph, node), *_attributes(node)]
    if node.kind != "op":
        lines = [tensor.text for tensor in graph.tensors_of((*node.inputs, *node.outputs)) if tensor.text]
    if len(lines) > _MOST_LINES:
        lines[_MOST_LINES - 1 :] = ["…"]
    return Box(
        id=node.id,
        title=f"{node.domain}.{node.op}" if node.domain else node.op,
        name=node.name,
        lines=tuple(_shorten(line) for line in lines),
        family=family_of(node.op, node.kind),
        groups=node.modules,
        tensors=tuple(dict.fromkeys(name for name in (*node.inputs, *node.outputs) if name)),
    )


def _weights(graph: Graph, node: Node) -> list[str]:
    """What is stored in the model: the shape of a weight, or a few values: `weight 64×3×7×7`, `axes -2, -1`."""
    made_here = [("", name) for name in node.outputs] if node.op == "Constant" else []
    stored = ((role, graph.tensors.get(name)) for role, name in (*zip_longest(node.roles, node.inputs), *made_here))
    return [
        f"{_role(tensor.name, role or '')} {_few(tensor) or _shape(tensor) or tensor.dtype}".strip()
        for role, tensor in stored
        if tensor is not None and tensor.kind == "weight"
    ]


def _role(name: str, role: str) -> str:
    """The last part of a weight's name, if it is a word, or what the operator calls it."""
    first, _, last = name.replace("/", ".").rpartition(".")
    return last if first and last.replace("_", "").isalpha() else role or "constant"


def _few(tensor: Tensor) -> str:
    """The values of small weights, but not of those that were trained."""
    is_setting = tensor.shape == () or not tensor.dtype.startswith(("float", "bfloat"))
    return tensor.values_text if is_setting else ""


def _shape(tensor: Tensor) -> str:
    return "×".join("?" if size is None else str(size) for size in tensor.shape or ())


def _attributes(node: Node) -> list[str]:
    """The attributes that are not as usual: `kernel_shape 7×7`."""
    lines = []
    for name, text in sorted(node.attributes.items(), key=lambda item: item[0] != "kernel_shape"):
        values = text.strip("[]").split(", ")
        if node.op != "Constant" and not all(name in _USUAL.get(value, ()) for value in values):
            sign = "×" if name in ("kernel_shape", "strides", "dilations") else ", "
            lines.append(f"{name} {sign.join(values)}")
    return lines


def _shorten(line: str) -> str:
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
