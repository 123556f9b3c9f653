"""Lay out two graphs: the ONNX nodes, and the TensorFlow ops that they became."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from convnet_core.convert.node_map_file import NodeMap, TensorFlowOp
from convnet_core.dissect.report.content import after_moved_transposes
from convnet_core.dissect.report.report_file import Picture, PictureNode
from convnet_core.graphs.layout import lay_out
from convnet_core.language import _

if TYPE_CHECKING:
    import onnx

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


@dataclass(frozen=True)
class ShownOp:
    """An op that a picture shows, with its ONNX node, and the names of the shown ops that it reads."""

    op: TensorFlowOp
    node: str
    label: str
    sources: tuple[str, ...]


def shown_ops(entries: NodeMap) -> list[ShownOp]:
    """The ops of a conversion, without those that only compute shapes."""
    every = {op.name: (op, entry.name) for entry in entries for op in entry.ops}
    kinds = {entry.name: entry.op_type for entry in entries}
    late = after_moved_transposes(entries)
    shown = {name: op for name, (op, _) in every.items() if op.type not in _QUIET}
    results = []
    for name, op in shown.items():
        node = every[name][1]
        sources = (_shown_source(before, every, shown) for before in op.inputs)
        label = _label(op, kinds[node], node in late)
        results.append(ShownOp(op, node, label, tuple(source for source in sources if source)))
    return results


def lay_out_tensorflow(entries: NodeMap) -> Picture:
    """The ops of a conversion, without those that only compute shapes."""
    ops = shown_ops(entries)
    place = {item.op.name: index for index, item in enumerate(ops)}
    links = [(place[source], index) for index, item in enumerate(ops) for source in item.sources]
    return _lay_out([(item.op.name, item.label, item.node) for item in ops], links)


def _label(op: TensorFlowOp, op_type: str, late: bool) -> str:
    """The op's type; for a transpose also its purpose."""
    if op.type != "Transpose":
        return op.type
    return _("Transpose (the model's)") if op_type == "Transpose" or late else _("Transpose (layout)")


def _shown_source(name: str, every: Mapping[str, tuple[TensorFlowOp, str]], shown: Mapping[str, TensorFlowOp]) -> str:
    """The shown op that a value comes from; "" if there is none. Ops that compute shapes are not followed."""
    visited = set[str]()
    while name in every and name not in shown and name not in visited and every[name][0].type == "Identity":
        visited.add(name)
        name = next(iter(every[name][0].inputs), "")
    return name if name in shown else ""


def _lay_out(labels: Sequence[tuple[str, str, str]], links: Sequence[tuple[int, int]]) -> Picture:
    """`labels` are the id, the label and the ONNX node of each node; `links` are pairs of indices into them."""
    positions = lay_out(len(labels), links).positions
    nodes = tuple(
        PictureNode(name, label, node, x, y) for (name, label, node), (x, y) in zip(labels, positions, strict=True)
    )
    return Picture(nodes, tuple(sorted({link for link in links if link[0] != link[1]})))
