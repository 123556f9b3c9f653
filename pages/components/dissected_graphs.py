"""Both graphs of a dissection, colored by error: a click on a node marks what it is on the other side."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import streamlit as st

from convnet_core.common.files import digest
from convnet_core.dissect.report import content, diagrams, documents
from convnet_core.dissect.report.graph_layout import shown_ops
from convnet_core.dissect.report.report_file import DissectionReport
from convnet_core.dissect.report.svg_graph import HIGH, LOW, SCALE, error_color
from convnet_core.errors import ConvNetError
from convnet_core.graphs import graph_file
from convnet_core.graphs.graph import Graph
from convnet_core.language import _, current
from convnet_core.runs.run import Run
from convnet_core.runtimes.specs import TENSORFLOW
from pages.components import dissected_node
from pages.components import job_area as jobs
from pages.components.graph_view import view
from pages.components.graph_view.drawing import Drawing
from pages.components.graph_view.parts import Legend

_CHOSEN = "node"
"""The ONNX node that is chosen, in the address."""


@st.cache_resource(show_spinner=False, max_entries=4)
def _drawings(path: Path, stage: str, sha256: str, language: str) -> tuple[Drawing, Drawing]:
    """The ONNX and the TensorFlow graph, cached for all sessions until the report's digest changes."""
    report = documents.load(Run(path), stage)
    graph = _graph(Run(path), stage, report)
    return Drawing(diagrams.onnx_diagram(report, graph)), Drawing(diagrams.tensorflow_diagram(report, graph))


def _graph(run: Run, stage: str, report: DissectionReport) -> Graph | None:
    """The graph of the dissected model; None if an early version dissected it and the run's model is another one."""
    name = f"{stage}/{graph_file.FILE}"
    graph = graph_file.read(run.file(name)) if (run.path / name).is_file() else graph_file.of_run(run)
    names = [node.name for node in graph.nodes if node.kind == "op"]
    return graph if names == [node.node for node in report.pictures.onnx.nodes] else None


@st.fragment
def show(run: Run, stage: str, report: DissectionReport) -> None:
    """Show both graphs and the chosen node, or why they cannot be read."""
    try:  # here, because Streamlit itself shows what a fragment raises
        drawings = _drawings(run.path, stage, digest(run.file(f"{stage}/{content.FILE}")), current())
    except ConvNetError as error:
        jobs.show_error(error)
        return
    runtimes = report.runtimes[1:]
    runtime = st.selectbox(
        _("Color by"),
        runtimes,
        index=runtimes.index(TENSORFLOW.name) if TENSORFLOW.name in runtimes else 0,
        key="dissect-runtime",
        bind="query-params",
        width=320,
        help=_("Error of this runtime against ONNX Runtime, from blue (rounding) to red; gray: not compared"),
    )
    errors = {
        node.name: node.runtimes[runtime].whole.relative
        for node in reversed(report.nodes)  # reversed: the first of several outputs wins
        if runtime in node.runtimes
    }
    onnx = {box.id: box.name for box in drawings[0].diagram.boxes}
    tensorflow = {item.op.name: item.node for item in shown_ops(report.entries)}
    chosen = st.query_params.get(_CHOSEN, "")
    whole = {entry.name: entry.of for entry in report.entries if entry.of}.get(chosen, chosen)
    sides = (("ONNX", drawings[0], onnx, chosen), ("TensorFlow", drawings[1], tensorflow, whole))
    for column, (title, drawing, nodes, marked) in zip(st.columns(2), sides, strict=True):
        with column:
            st.markdown(f"**{title}**")
            _show_side(title, drawing, nodes, errors, marked)
    known = {entry.name for entry in report.entries} | {node.name for node in report.nodes}
    if chosen in known:  # there is nothing to say of an input
        dissected_node.show(report, chosen)


def _show_side(
    title: str, drawing: Drawing, nodes: Mapping[str, str], errors: Mapping[str, float | None], marked: str
) -> None:
    """Show one graph; `nodes` gives the ONNX node of each box, and the worst error colors a closed fold."""
    if not drawing.boxes:
        st.caption(_("Nothing was converted."))
        return
    worst_first = sorted(nodes, key=lambda box: -(errors.get(nodes[box]) or 0))
    view.show(
        drawing,
        f"dissect-{title.lower()}",
        lambda box: _choose(nodes.get(box, "")),
        marked=[box for box, node in nodes.items() if marked and node == marked],
        colors={box: error_color(errors.get(nodes[box])) for box in worst_first},
        legend=_legend(),
        folds="dissect",
        height=0.6,
    )


def _choose(node: str) -> None:
    if node:
        st.query_params[_CHOSEN] = node
    else:
        st.query_params.pop(_CHOSEN, None)


def _legend() -> Legend:
    ticks = [f"1e{power}" for power in range(int(LOW), int(HIGH) + 1, 2)]
    colors = [color for _place, color in SCALE]
    return Legend(_("error, as a fraction of the value's range (log scale)"), tuple(colors), tuple(ticks))
