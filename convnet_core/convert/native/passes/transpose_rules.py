"""For each operator through which a transpose can pass: the same node on the transpose's source.

A rule takes a node of which at least one input is remembered as a transpose, and gives the nodes that take its place,
with its results remembered in turn; or None where the transpose has to be made. `t` is the tensor as ONNX has it,
`s` the source: dimension i of t is dimension perm[i] of s.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from convnet_core.convert.native.ir import Graph, Info, Node
from convnet_core.convert.native.passes.operator_kinds import BROADCASTING, OVER_AXES, UNARY
from convnet_core.convert.tensor_location import TensorLocation
from convnet_core.tensors.arrays import Array

Perm = tuple[int, ...]


class View(NamedTuple):
    """A tensor is this source with its dimensions in the order of perm."""

    source: str
    perm: Perm


class Sinking:
    """What the pass knows while it goes through a graph."""

    def __init__(self, graph: Graph) -> None:
        self.constants = dict(graph.constants)
        self.infos = dict(graph.infos)
        self.moved: dict[str, View] = {}
        self.made: set[str] = set()
        self.places: dict[str, TensorLocation] = {}
        """Of constants that are used in another order."""

    def rank(self, name: str) -> int | None:
        """The number of dimensions of a tensor, where it is known."""
        if name in self.constants:
            return int(self.constants[name].ndim)
        info = self.infos.get(name)
        return None if info is None or info.shape is None else len(info.shape)

    def remember(self, name: str, source: str, perm: Perm) -> None:
        """`name` is `source` with its dimensions in another order."""
        if source in self.constants:
            self.constants[name] = np.asarray(self.constants[source].transpose(perm), order="C")
            return
        self.moved[name] = View(source, perm)
        info = self.infos.get(name)
        if source not in self.infos and info is not None:
            back = inverse(perm)
            shape = None if info.shape is None else tuple(info.shape[axis] for axis in back)
            self.infos[source] = Info(info.dtype, shape)

    def constant(self, name: str, value: Array) -> str:
        """A constant under a name that is free."""
        self.constants[name] = value
        return name


Rule = Callable[[Node, Sinking], list[Node] | None]
RULES: dict[str, Rule] = {}


def inverse(perm: Perm) -> Perm:
    """The permutation that undoes another."""
    back = [0] * len(perm)
    for place, axis in enumerate(perm):
        back[axis] = place
    return tuple(back)


def _rule(*ops: str) -> Callable[[Rule], Rule]:
    def register(rule: Rule) -> Rule:
        RULES.update(dict.fromkeys(ops, rule))
        return rule

    return register


def _sink(node: Node, sinking: Sinking, inputs: list[str], perm: Perm, **attributes: object) -> list[Node]:
    """The node on other inputs, each of its results a transpose of what it makes now."""
    outputs = []
    for name in node.outputs:
        inner = f"{name}|source" if name else ""
        if name:
            sinking.remember(name, inner, perm)
        outputs.append(inner)
    return [
        dataclasses.replace(
            node, inputs=tuple(inputs), outputs=tuple(outputs), attributes={**node.attributes, **attributes}
        )
    ]


@_rule(*UNARY)
def _unary(node: Node, sinking: Sinking) -> list[Node] | None:
    """Looks at each value alone; further inputs are scalars."""
    if node.inputs[0] not in sinking.moved or any(name in sinking.moved for name in node.inputs[1:]):
        return None
    if len([name for name in node.outputs if name]) > 1:
        return None
    source, perm = sinking.moved[node.inputs[0]]
    return _sink(node, sinking, [source, *node.inputs[1:]], perm)


@_rule(*BROADCASTING)
def _broadcasting(node: Node, sinking: Sinking) -> list[Node] | None:
    """Broadcasts its inputs: all of them have to be in the source's order."""
    perms = {sinking.moved[name].perm for name in node.inputs if name in sinking.moved}
    if len(perms) != 1 or node.version < 7:  # before, the attribute `axis` said which dimensions meet
        return None
    (perm,) = perms
    inputs, before = [], []
    for name in node.inputs:
        if name in sinking.moved:
            inputs.append(sinking.moved[name].source)
            continue
        other = _in_order(name, perm, sinking, node)
        if other is None:
            return None
        inputs.append(other[0])
        before += other[1]
    return [*before, *_sink(node, sinking, inputs, perm)]


def _in_order(name: str, perm: Perm, sinking: Sinking, node: Node) -> tuple[str, list[Node]] | None:
    """Another input in the source's order: a constant transposed, or a tensor whose transpose only moves ones."""
    rank = sinking.rank(name)
    if rank == 0:
        return name, []
    if name in sinking.constants:
        value = sinking.constants[name]
        if value.ndim > len(perm):
            return None
        full = value.reshape((1,) * (len(perm) - value.ndim) + value.shape)
        mark = "".join(map(str, perm))
        made = sinking.constant(f"{name}|{mark}", np.ascontiguousarray(full.transpose(inverse(perm))))
        sinking.places.setdefault(name, TensorLocation(made, perm, shape=value.shape))
        return made, []
    info = sinking.infos.get(name)
    if rank != len(perm) or info is None or info.shape is None:
        return None
    if not _moves_only_ones(info.shape, inverse(perm)):
        return None
    made = f"{name}|{node.outputs[0]}"
    sinking.infos[made] = Info(info.dtype, tuple(info.shape[axis] for axis in inverse(perm)))
    return made, [
        Node("Transpose", (name,), (made,), {"perm": list(inverse(perm))}, "", 1, f"{made}/layout", node.scope)
    ]


def _moves_only_ones(shape: tuple[int | None, ...], perm: Perm) -> bool:
    """Whether a transpose leaves the order of the values as it is, so that it costs nothing."""
    kept = [axis for axis in perm if shape[axis] != 1]
    return kept == sorted(kept)


@_rule("Concat")
def _concat(node: Node, sinking: Sinking) -> list[Node] | None:
    perms = {sinking.moved[name].perm for name in node.inputs if name in sinking.moved}
    if len(perms) != 1:
        return None
    (perm,) = perms
    inputs, before = [], []
    for name in node.inputs:
        if name in sinking.moved:
            inputs.append(sinking.moved[name].source)
        elif (other := _in_order(name, perm, sinking, node)) is not None and sinking.rank(name) == len(perm):
            inputs.append(other[0])
            before += other[1]
        else:
            return None
    axis = node.attributes["axis"] % len(perm)
    return [*before, *_sink(node, sinking, inputs, perm, axis=perm[axis])]


@_rule("Split", "Softmax", "LogSoftmax", "Hardmax")
def _along_an_axis(node: Node, sinking: Sinking) -> list[Node] | None:
    """Works along one dimension; before version 13, Softmax flattened the others."""
    if node.inputs[0] not in sinking.moved or (node.op != "Split" and node.version < 13):
        return None
    source, perm = sinking.moved[node.inputs[0]]
    axis = node.attributes.get("axis", 0 if node.op == "Split" else -1) % len(perm)
    return _sink(node, sinking, [source, *node.inputs[1:]], perm, axis=perm[axis])


@_rule(*OVER_AXES)
def _over_axes(node: Node, sinking: Sinking) -> list[Node] | None:
    """Reduces or drops dimensions, which are an attribute or, in later versions, a constant input."""
    if node.inputs[0] not in sinking.moved:
        return None
    source, perm = sinking.moved[node.inputs[0]]
    given = len(node.inputs) > 1 and bool(node.inputs[1])
    if given and node.inputs[1] not in sinking.constants:
        return None
    axes = sinking.constants[node.inputs[1]].tolist() if given else node.attributes.get("axes")
    if not axes:
        return None
    axes = [axis % len(perm) for axis in axes]
    keeps = node.op != "Squeeze" and node.attributes.get("keepdims", 1)
    after = perm if keeps else drop_axes(perm, axes)
    moved_axes = sorted(perm[axis] for axis in axes)
    if not given:
        return _sink(node, sinking, [source], after, axes=moved_axes)
    name = sinking.constant(f"{node.outputs[0]}|axes", np.array(moved_axes, np.int64))
    return _sink(node, sinking, [source, name], after)


def drop_axes(perm: Perm, axes: list[int]) -> Perm:
    """The permutation of what is left when dimensions of t are taken out."""
    left = [perm[axis] for axis in range(len(perm)) if axis not in axes]
    order = sorted(left)
    return tuple(order.index(axis) for axis in left)


@_rule("Pad")
def _pad(node: Node, sinking: Sinking) -> list[Node] | None:
    """Pads are an attribute, or a constant input, for all dimensions or for those of `axes`."""
    if node.inputs[0] not in sinking.moved:
        return None
    source, perm = sinking.moved[node.inputs[0]]
    rank = len(perm)
    inputs = list(node.inputs)
    if len(inputs) > 1:
        if any(name and name not in sinking.constants for name in inputs[1:]):
            return None
        pads = sinking.constants[inputs[1]]
        axes = sinking.constants[inputs[3]].tolist() if len(inputs) > 3 and inputs[3] else range(rank)
        full = np.zeros((2, rank), np.int64)
        for place, axis in enumerate(axes):
            full[:, perm[axis % rank]] = pads.reshape(2, -1)[:, place]
        inputs = [source, sinking.constant(f"{node.outputs[0]}|pads", full.reshape(-1)), *inputs[2:3]]
        return _sink(node, sinking, inputs, perm)
    pads = np.array(node.attributes["pads"]).reshape(2, rank)
    return _sink(node, sinking, [source], perm, pads=pads[:, list(inverse(perm))].reshape(-1).tolist())


@_rule("Slice")
def _slice(node: Node, sinking: Sinking) -> list[Node] | None:
    """The dimensions are an attribute, or a constant input; by default the first ones."""
    if node.inputs[0] not in sinking.moved or any(name in sinking.moved for name in node.inputs[1:]):
        return None
    source, perm = sinking.moved[node.inputs[0]]
    if len(node.inputs) == 1:
        count = len(node.attributes["starts"])
        axes = node.attributes.get("axes") or list(range(count))
        return _sink(node, sinking, [source], perm, axes=[perm[axis] for axis in axes])
    inputs = [*node.inputs, "", ""][:5]
    if (inputs[3] and inputs[3] not in sinking.constants) or inputs[1] not in sinking.constants:
        return None
    count = sinking.constants[inputs[1]].size
    axes = sinking.constants[inputs[3]].tolist() if inputs[3] else list(range(count))
    moved_axes = np.array([perm[axis % len(perm)] for axis in axes], np.int64)
    inputs[0], inputs[3] = source, sinking.constant(f"{node.outputs[0]}|axes", moved_axes)
    return _sink(node, sinking, inputs if inputs[4] else inputs[:4], perm)


@_rule("Shape")
def _shape(node: Node, sinking: Sinking) -> list[Node] | None:
    """The sizes of the source, each asked for alone: what is known of one stays known."""
    source, perm = sinking.moved[node.inputs[0]]
    sizes, result = list[Node](), node.outputs[0]
    for axis in perm[node.attributes.get("start", 0) : node.attributes.get("end")]:
        attributes = {"start": axis, "end": axis + 1}
        size = dataclasses.replace(node, inputs=(source,), outputs=(f"{result}|{axis}",), attributes=attributes)
        sizes.append(dataclasses.replace(size, version=max(node.version, 15)))
    if not sizes:
        return None
    names = tuple(size.outputs[0] for size in sizes)
    return [*sizes, Node("Concat", names, (result,), {"axis": 0}, "", 13, f"{node.name}/layout", node.scope)]


@_rule("QuantizeLinear", "DequantizeLinear")
def _quantize(node: Node, sinking: Sinking) -> list[Node] | None:
    """One scale for all values, or one for each place along a dimension."""
    if node.inputs[0] not in sinking.moved or any(name in sinking.moved for name in node.inputs[1:]):
        return None
    if node.attributes.get("block_size"):
        return None
    source, perm = sinking.moved[node.inputs[0]]
    axis = node.attributes.get("axis", 1) % len(perm)
    if sinking.rank(node.inputs[1]) == 0:
        return _sink(node, sinking, [source, *node.inputs[1:]], perm)
    return _sink(node, sinking, [source, *node.inputs[1:]], perm, axis=perm[axis])
