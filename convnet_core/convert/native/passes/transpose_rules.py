"""Rules for the operators that a transpose can move past.

A rule takes a node with at least one view as input (see `sink_transposes`). It returns the nodes that replace it and
makes their outputs views, or returns None if the transpose must come first. For a tensor t with source s,
dimension i of t is dimension perm[i] of s.
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
    """A tensor that equals `source` transposed by `perm`."""

    source: str
    perm: Perm


class Sinking:
    """The state of the pass."""

    def __init__(self, graph: Graph) -> None:
        self.constants = dict(graph.constants)
        self.infos = dict(graph.infos)
        self.views: dict[str, View] = {}
        self.emitted: set[str] = set()
        self.locations: dict[str, TensorLocation] = {}
        """Locations of constants that are used transposed."""

    def rank(self, name: str) -> int | None:
        """The number of dimensions of a tensor; None if unknown."""
        if name in self.constants:
            return int(self.constants[name].ndim)
        info = self.infos.get(name)
        return None if info is None or info.shape is None else len(info.shape)

    def remember(self, name: str, source: str, perm: Perm) -> None:
        """Record that `name` is `source` transposed by `perm`."""
        if source in self.constants:
            self.constants[name] = np.asarray(self.constants[source].transpose(perm), order="C")
            return
        self.views[name] = View(source, perm)
        info = self.infos.get(name)
        if source not in self.infos and info is not None:
            back = inverse(perm)
            shape = None if info.shape is None else tuple(info.shape[axis] for axis in back)
            self.infos[source] = Info(info.dtype, shape)

    def constant(self, name: str, value: Array) -> str:
        """Add a constant and return its name."""
        self.constants[name] = value
        return name


Rule = Callable[[Node, Sinking], list[Node] | None]
RULES: dict[str, Rule] = {}


def inverse(perm: Perm) -> Perm:
    """The inverse permutation."""
    back = [0] * len(perm)
    for index, axis in enumerate(perm):
        back[axis] = index
    return tuple(back)


def _rule(*ops: str) -> Callable[[Rule], Rule]:
    def register(rule: Rule) -> Rule:
        RULES.update(dict.fromkeys(ops, rule))
        return rule

    return register


def _sink(node: Node, sinking: Sinking, inputs: list[str], perm: Perm, **attributes: object) -> list[Node]:
    """Apply the node to other inputs. Its outputs become views of the new outputs."""
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
    """Elementwise in the first input; further inputs are scalars."""
    if node.inputs[0] not in sinking.views or any(name in sinking.views for name in node.inputs[1:]):
        return None
    if len([name for name in node.outputs if name]) > 1:
        return None
    source, perm = sinking.views[node.inputs[0]]
    return _sink(node, sinking, [source, *node.inputs[1:]], perm)


@_rule(*BROADCASTING)
def _broadcasting(node: Node, sinking: Sinking) -> list[Node] | None:
    """Broadcasting: all inputs must be in the source's order."""
    perms = {sinking.views[name].perm for name in node.inputs if name in sinking.views}
    if len(perms) != 1 or node.version < 7:  # older versions align dimensions by the attribute `axis`
        return None
    (perm,) = perms
    inputs, before = [], []
    for name in node.inputs:
        if name in sinking.views:
            inputs.append(sinking.views[name].source)
            continue
        other = _in_order(name, perm, sinking, node)
        if other is None:
            return None
        inputs.append(other[0])
        before += other[1]
    return [*before, *_sink(node, sinking, inputs, perm)]


def _in_order(name: str, perm: Perm, sinking: Sinking, node: Node) -> tuple[str, list[Node]] | None:
    """Another input in the source's order: a transposed constant, or a tensor whose transpose is free."""
    rank = sinking.rank(name)
    if rank == 0:
        return name, []
    if name in sinking.constants:
        value = sinking.constants[name]
        if value.ndim > len(perm):
            return None
        full = value.reshape((1,) * (len(perm) - value.ndim) + value.shape)
        suffix = "".join(map(str, perm))
        reordered = sinking.constant(f"{name}|{suffix}", np.ascontiguousarray(full.transpose(inverse(perm))))
        sinking.locations.setdefault(name, TensorLocation(reordered, perm, shape=value.shape))
        return reordered, []
    info = sinking.infos.get(name)
    if rank != len(perm) or info is None or info.shape is None:
        return None
    if not _moves_only_ones(info.shape, inverse(perm)):
        return None
    reordered = f"{name}|{node.outputs[0]}"
    sinking.infos[reordered] = Info(info.dtype, tuple(info.shape[axis] for axis in inverse(perm)))
    return reordered, [
        Node(
            "Transpose", (name,), (reordered,), {"perm": list(inverse(perm))}, "", 1, f"{reordered}/layout", node.scope
        )
    ]


def _moves_only_ones(shape: tuple[int | None, ...], perm: Perm) -> bool:
    """Whether a transpose moves only dimensions of size 1, so that it costs nothing."""
    moved = [axis for axis in perm if shape[axis] != 1]
    return moved == sorted(moved)


@_rule("Concat")
def _concat(node: Node, sinking: Sinking) -> list[Node] | None:
    perms = {sinking.views[name].perm for name in node.inputs if name in sinking.views}
    if len(perms) != 1:
        return None
    (perm,) = perms
    inputs, before = [], []
    for name in node.inputs:
        if name in sinking.views:
            inputs.append(sinking.views[name].source)
        elif (other := _in_order(name, perm, sinking, node)) is not None and sinking.rank(name) == len(perm):
            inputs.append(other[0])
            before += other[1]
        else:
            return None
    axis = node.attributes["axis"] % len(perm)
    return [*before, *_sink(node, sinking, inputs, perm, axis=perm[axis])]


@_rule("Split", "Softmax", "LogSoftmax", "Hardmax")
def _along_an_axis(node: Node, sinking: Sinking) -> list[Node] | None:
    """Works along one axis. Before version 13, Softmax flattened the other axes."""
    if node.inputs[0] not in sinking.views or (node.op != "Split" and node.version < 13):
        return None
    source, perm = sinking.views[node.inputs[0]]
    axis = node.attributes.get("axis", 0 if node.op == "Split" else -1) % len(perm)
    return _sink(node, sinking, [source, *node.inputs[1:]], perm, axis=perm[axis])


@_rule(*OVER_AXES)
def _over_axes(node: Node, sinking: Sinking) -> list[Node] | None:
    """Reduces or removes axes, given as an attribute or, in later versions, a constant input."""
    if node.inputs[0] not in sinking.views:
        return None
    source, perm = sinking.views[node.inputs[0]]
    has_axes_input = len(node.inputs) > 1 and bool(node.inputs[1])
    if has_axes_input and node.inputs[1] not in sinking.constants:
        return None
    axes = sinking.constants[node.inputs[1]].tolist() if has_axes_input else node.attributes.get("axes")
    if not axes:
        return None
    axes = [axis % len(perm) for axis in axes]
    keeps = node.op != "Squeeze" and node.attributes.get("keepdims", 1)
    after = perm if keeps else drop_axes(perm, axes)
    moved_axes = sorted(perm[axis] for axis in axes)
    if not has_axes_input:
        return _sink(node, sinking, [source], after, axes=moved_axes)
    name = sinking.constant(f"{node.outputs[0]}|axes", np.array(moved_axes, np.int64))
    return _sink(node, sinking, [source, name], after)


def drop_axes(perm: Perm, axes: list[int]) -> Perm:
    """The permutation that remains when these dimensions of t are removed."""
    remaining = [perm[axis] for axis in range(len(perm)) if axis not in axes]
    order = sorted(remaining)
    return tuple(order.index(axis) for axis in remaining)


@_rule("Pad")
def _pad(node: Node, sinking: Sinking) -> list[Node] | None:
    """Pads are an attribute or a constant input, for all dimensions or those in `axes`."""
    if node.inputs[0] not in sinking.views:
        return None
    source, perm = sinking.views[node.inputs[0]]
    rank = len(perm)
    inputs = list(node.inputs)
    if len(inputs) > 1:
        if any(name and name not in sinking.constants for name in inputs[1:]):
            return None
        pads = sinking.constants[inputs[1]]
        axes = sinking.constants[inputs[3]].tolist() if len(inputs) > 3 and inputs[3] else range(rank)
        full = np.zeros((2, rank), np.int64)
        for index, axis in enumerate(axes):
            full[:, perm[axis % rank]] = pads.reshape(2, -1)[:, index]
        inputs = [source, sinking.constant(f"{node.outputs[0]}|pads", full.reshape(-1)), *inputs[2:3]]
        return _sink(node, sinking, inputs, perm)
    pads = np.array(node.attributes["pads"]).reshape(2, rank)
    return _sink(node, sinking, [source], perm, pads=pads[:, list(inverse(perm))].reshape(-1).tolist())


@_rule("Slice")
def _slice(node: Node, sinking: Sinking) -> list[Node] | None:
    """The axes are an attribute or a constant input; the default is the first ones."""
    if node.inputs[0] not in sinking.views or any(name in sinking.views for name in node.inputs[1:]):
        return None
    source, perm = sinking.views[node.inputs[0]]
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
    """The sizes of the source one by one, so that known sizes remain known."""
    source, perm = sinking.views[node.inputs[0]]
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
    """One scale for all values, or one per index along an axis."""
    if node.inputs[0] not in sinking.views or any(name in sinking.views for name in node.inputs[1:]):
        return None
    if node.attributes.get("block_size"):
        return None
    source, perm = sinking.views[node.inputs[0]]
    axis = node.attributes.get("axis", 1) % len(perm)
    if sinking.rank(node.inputs[1]) == 0:
        return _sink(node, sinking, [source, *node.inputs[1:]], perm)
    return _sink(node, sinking, [source, *node.inputs[1:]], perm, axis=perm[axis])
