"""A model's graph on the Export page: click a node for its attributes, inputs, outputs and weights."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from convnet_core.common.formatting import format_number, format_percent
from convnet_core.graphs import graph_file
from convnet_core.graphs.boxes import diagram_of
from convnet_core.graphs.graph import Graph, Node, Statistics, Tensor
from convnet_core.language import _, plural
from pages.components.graph_view import view
from pages.components.graph_view.drawing import Drawing
from pages.components.graph_view.parts import Panel, Part


@st.cache_resource(show_spinner=False, max_entries=4)
def read(path: Path, sha256: str) -> Graph:
    """The graph in a file, cached for all sessions until the file's digest changes. Raises ModelError."""
    return graph_file.read(path)


@st.cache_resource(show_spinner=False, max_entries=4)
def drawing_of(path: Path, sha256: str) -> Drawing:
    """The same graph as a drawing."""
    return Drawing(diagram_of(read(path, sha256)))


@st.fragment
def explore(path: Path, sha256: str) -> None:
    """Show the graph in a file, and beside it the node in the page's address. Raises ModelError."""
    graph = read(path, sha256)
    node = graph.by_id.get(st.query_params.get("node", ""))
    view.show(
        drawing_of(path, sha256),
        "graph",
        _choose,
        marked=[node.id] if node else [],
        panel=panel_of(graph, node) if node else None,
    )


def _choose(node: str) -> None:
    if node:
        st.query_params["node"] = node
    else:
        st.query_params.pop("node", None)


def panel_of(graph: Graph, node: Node) -> Panel:
    """A node's operator, attributes, inputs, outputs and weights."""
    parts = [Part(_("Attributes"), rows=tuple(node.attributes.items()))] if node.attributes else []
    for title, names in ((_("Inputs"), node.inputs), (_("Outputs"), node.outputs)):
        if names:
            rows = [(tensor.name or _("(omitted)"), _type(tensor)) for tensor in graph.tensors_of(names)]
            parts.append(Part(title, rows=tuple(rows)))
    made_here = node.outputs if node.op == "Constant" else ()
    weights = [each for each in graph.tensors_of(dict.fromkeys((*node.inputs, *made_here))) if each.kind == "weight"]
    titles = {"op": node.versioned_op, "input": _("Input of the model"), "output": _("Output of the model")}
    name = node.name or _("Unnamed in the file.")
    return Panel(titles[node.kind], name, (*parts, *(_weight(tensor) for tensor in weights)))


def _type(tensor: Tensor) -> str:
    return f"{tensor.dtype} {tensor.shape_text}".strip() if tensor.name else "–"


def _weight(tensor: Tensor) -> Part:
    """The histogram and the statistics of a weight."""
    found = tensor.statistics
    if found is None:
        return Part(tensor.name, note=_("Its values are not numbers, or cannot be read."))
    ends = (f"{found.low:.3g}", f"{found.high:.3g}") if found.counts else ()
    rows = ((_("values"), tensor.values_text),) if tensor.values else ()
    return Part(tensor.name, (*rows, *_statistics(found)), tensor.text, found.counts, ends)


def _statistics(found: Statistics) -> tuple[tuple[str, str], ...]:
    names = {"min": found.min, "max": found.max, _("mean"): found.mean, _("deviation"): found.std}
    rows = [(_("size"), plural("{count} value", "{count} values", found.count))]
    rows += [(name, f"{value:.4g}") for name, value in names.items() if value is not None]
    if found.zeros is not None:
        rows.append((_("zero values"), format_percent(found.zeros)))
    if found.not_finite:
        rows.append((_("not finite"), format_number(found.not_finite)))
    return tuple(rows)
