"""Lay out two graphs: the ONNX nodes, and the TensorFlow ops that they became."""

from __future__ import annotations

from collections.abc import Sequence

import onnx

from convnet_core.convert.node_map_file import NodeMap, TensorFlowOp
from convnet_core.dissect.report.content import after_moved_transposes
from convnet_core.dissect.report.report_file import Picture, PictureNode
from convnet_core.graphs.layout import lay_out

_QUIET = {"Shape", "StridedSlice", "Cast", "Pack", "Identity", "Const"}
"""Ops that only compute shapes."""


def lay_out_onnx(model: onnx.ModelProto) -> Picture:
    """The nodes of a model."""
    makers = {name: place for place, node in enumerate(model.graph.node) for name in node.output}
    links = [
        (makers[name], place) for place, node in enumerate(model.graph.node) for name in node.input if name in makers
    ]
    labels = [(node.name, node.op_type, node.name) for node in model.graph.node]
    return _lay_out(labels, links)


def lay_out_tensorflow(entries: NodeMap) -> Picture:
    """The ops of a conversion, without those that only compute shapes."""
    every = {op.name: (op, entry.name) for entry in entries for op in entry.ops}
    kinds = {entry.name: entry.op_type for entry in entries}
    late = after_moved_transposes(entries)
    shown = [name for name, (op, _) in every.items() if op.type not in _QUIET]
    place = {name: index for index, name in enumerate(shown)}
    links = [
        (place[source], index)
        for index, name in enumerate(shown)
        for before in every[name][0].inputs
        for source in _shown_sources(before, every, place)
    ]
    return _lay_out(
        [
            (name, _label(every[name][0], kinds[every[name][1]], every[name][1] in late), every[name][1])
            for name in shown
        ],
        links,
    )


def _label(op: TensorFlowOp, op_type: str, late: bool) -> str:
    """The op's type; for a transpose also its purpose."""
    if op.type != "Transpose":
        return op.type
    return "Transpose (the model's)" if op_type == "Transpose" or late else "Transpose (layout)"


def _shown_sources(name: str, every: dict[str, tuple[TensorFlowOp, str]], place: dict[str, int]) -> list[str]:
    """The visible op that a value comes from. Ops that compute shapes are not followed."""
    visited = set[str]()
    while name in every and name not in place and name not in visited and every[name][0].type == "Identity":
        visited.add(name)
        name = next(iter(every[name][0].inputs), "")
    return [name] if name in place else []


def _lay_out(labels: Sequence[tuple[str, str, str]], links: Sequence[tuple[int, int]]) -> Picture:
    """`labels` are the id, the label and the ONNX node of each node; `links` are pairs of indices into them."""
    positions = lay_out(len(labels), links).positions
    nodes = tuple(
        PictureNode(name, label, node, x, y) for (name, label, node), (x, y) in zip(labels, positions, strict=True)
    )
    return Picture(nodes, tuple(sorted({link for link in links if link[0] != link[1]})))
