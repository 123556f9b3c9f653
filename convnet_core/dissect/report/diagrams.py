"""The two graphs of a dissection as diagrams: the ONNX nodes, and the TensorFlow ops that they became."""

from __future__ import annotations

from convnet_core.dissect.report.graph_layout import ShownOp, shown_ops
from convnet_core.dissect.report.report_file import DissectionReport
from convnet_core.graphs.boxes import diagram_of
from convnet_core.graphs.diagram import Box, Diagram, Link
from convnet_core.graphs.families import family_of
from convnet_core.graphs.graph import Graph


def onnx_diagram(report: DissectionReport, graph: Graph | None) -> Diagram:
    """The graph of the dissected model, or, if an early version dissected it, the operators in the report."""
    if graph is not None:
        return diagram_of(graph)
    nodes, edges = report.pictures.onnx.nodes, report.pictures.onnx.edges
    return Diagram(
        tuple(Box(node.id, node.label, node.node, family=family_of(node.label), tensors=(node.id,)) for node in nodes),
        tuple(Link(nodes[source].id, nodes[target].id, nodes[source].id) for source, target in edges),
    )


def tensorflow_diagram(report: DissectionReport, graph: Graph | None) -> Diagram:
    """The TensorFlow ops, folded by the ONNX node that they come from and by its modules, in the current language."""
    ops = shown_ops(report.entries)
    modules = {node.name: node.modules for node in graph.nodes} if graph is not None else {}
    shapes = {item.op.name: _shape(item) for item in ops}
    return Diagram(
        tuple(
            Box(
                id=item.op.name,
                title=item.label,
                name=item.op.name,
                lines=(f"perm {', '.join(map(str, item.op.perm))}",) if item.op.perm else (),
                family=family_of(item.op.type),
                groups=(*modules.get(item.node, ()), item.node),
                tensors=(item.op.name, *item.sources),
            )
            for item in ops
        ),
        tuple(
            Link(source, item.op.name, source, shapes[source]) for item in ops for source in dict.fromkeys(item.sources)
        ),
        {**(graph.modules if graph is not None else {}), **report.op_types},
    )


def _shape(item: ShownOp) -> str:
    shape = item.op.shapes[0] if item.op.shapes else None
    return "×".join("?" if size is None else str(size) for size in shape or ())
