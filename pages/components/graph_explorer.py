"""An interactive view of a model's graph: zoom, search, and click a node for its details."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from convnet_core.common.formatting import format_count
from convnet_core.graphs import graph_file
from convnet_core.graphs.graph import Graph, Node, Tensor
from pages.charts import graph as figure


@st.cache_resource(show_spinner="reading the graph", max_entries=4)
def read(path: Path, sha256: str) -> Graph:
    """The graph in a graph.json, cached for all sessions until the file's digest changes. Raises ModelError."""
    return graph_file.read(path)


@st.fragment
def explore(graph: Graph, sha256: str) -> None:
    """Show the graph on the left and the chosen node on the right. `sha256` identifies the graph."""
    _take_click(graph)
    left, right = st.columns([5, 4], gap="medium")
    with left:
        text, hits = _search(graph)
    with right:
        node = _choice(graph)
        whole = not figure.fits(graph) and st.toggle(
            "Whole graph",
            key="whole",
            bind="query-params",
            help="Off: the view starts at the inputs, or at the chosen or found node",
        )
    with left:
        _picture(graph, hits, node, whole=whole, looks=(sha256, text, whole))
    with right:
        if node is None:
            st.info("Click a node in the graph, or choose one above.", icon=":material/ads_click:")
        else:
            details(graph, node)


def _search(graph: Graph) -> tuple[str, list[Node]]:
    """The search field; returns the text and the matching nodes."""
    text = st.text_input(
        "Search",
        key="find",
        bind="query-params",
        placeholder="name, operator or tensor",
        help="Marks nodes whose operator contains this text; if there are none, those whose name contains it; "
        "otherwise those with a matching tensor",
    )
    hits = graph.find(text)
    operators = sum(node.kind == "op" for node in graph.nodes)
    st.caption(
        f"{len(hits)} of {format_count(len(graph.nodes), 'node')} found."
        if text.strip()
        else f"{format_count(operators, 'operator')}. Data flows from top to bottom; scroll to zoom, drag to move, "
        "hover over a node to see its name."
    )
    return text, hits


def _choice(graph: Graph) -> Node | None:
    """The node chosen by name or by a click in the graph."""
    if st.session_state.get("node") not in graph.by_id:
        st.session_state.pop("node", None)  # a node of another run
    chosen = st.selectbox(
        "Node",
        list(graph.by_id),
        index=None,
        key="node",
        bind="query-params",
        placeholder="choose a node",
        help="Shows its attributes, inputs, outputs and weights below",
    )
    return graph.by_id.get(chosen) if chosen else None


def _picture(graph: Graph, hits: list[Node], node: Node | None, *, whole: bool, looks: tuple[Any, ...]) -> None:
    """Show the figure. A click moves the mark in the browser, so the figure does not change and keeps its zoom.

    It is rebuilt under a new key if a node was chosen by name, its content changed, or the browser lost it on a page
    change.
    """
    shown = st.session_state.get("shown") or _ShownFigure()
    now = node.id if node else None
    if shown.looks != looks or now != shown.clicked or shown.key not in st.session_state:
        shown = _ShownFigure(shown.version + 1, looks, marked=now, clicked=now)
        st.session_state["shown"] = shown
    st.plotly_chart(
        figure.draw(graph, hits, shown.marked, whole=whole, dark=st.context.theme.type == "dark"),
        width="stretch",
        key=shown.key,
        on_select="rerun",
        selection_mode="points",
        config={"scrollZoom": True},
        alt="The model's graph, from its inputs at the top to its outputs at the bottom",
    )


@dataclass
class _ShownFigure:
    """The figure in the browser: its content, the node marked at first, and the node clicked since."""

    version: int = 0
    looks: tuple[Any, ...] = ()
    marked: str | None = None
    clicked: str | None = None

    @property
    def key(self) -> str:
        return f"graph-{self.version}"


def _take_click(graph: Graph) -> None:
    """Choose the node that was clicked. A click on the background changes nothing."""
    shown: _ShownFigure | None = st.session_state.get("shown")
    points = st.session_state[shown.key].selection.points if shown and shown.key in st.session_state else []
    name = points[-1]["customdata"] if points else None
    if shown and name in graph.by_id and name != shown.clicked:
        shown.clicked = st.session_state["node"] = name


def details(graph: Graph, node: Node) -> None:
    """Show a node's operator, attributes, inputs, outputs and weights."""
    st.subheader(node.versioned_op if node.kind == "op" else f"{node.op} of the model", anchor=False)
    st.caption(_verbatim(node.name) if node.name else "Unnamed in the file.")
    if node.attributes:
        _table([{"Attribute": name, "Value": text} for name, text in node.attributes.items()])
    for title, names_of in (("Input", node.inputs), ("Output", node.outputs)):
        if names_of:
            _table(
                [
                    {title: item.name or "(omitted)", "Shape and type": _type(item)}
                    for item in graph.tensors_of(names_of)
                ]
            )
    constants = node.outputs if node.op == "Constant" else ()
    for tensor in graph.tensors_of(dict.fromkeys((*node.inputs, *constants))):
        if tensor.kind == "weight":
            _weight(tensor)


def _table(lines: list[dict[str, str]]) -> None:
    st.dataframe(lines, hide_index=True, width="stretch")


def _type(tensor: Tensor) -> str:
    return f"{tensor.shape_text} {tensor.dtype}".strip() if tensor.name else "–"


def _verbatim(text: str) -> str:
    """A name without Markdown formatting."""
    return f"`` {text} ``"


def _weight(tensor: Tensor) -> None:
    """Show the histogram and the statistics of a weight."""
    st.markdown(f"{_verbatim(tensor.name)}  \n{tensor.text}")
    statistics = tensor.statistics
    if statistics is None:
        st.caption("Its values are not numbers, or cannot be read.")
        return
    if statistics.counts:
        st.plotly_chart(
            figure.histogram(statistics), width="stretch", key=f"weight-{tensor.name}", config={"displayModeBar": False}
        )
    values = {name: getattr(statistics, name) for name in ("min", "max", "mean", "std")}
    shown = [f"{name} {value:.4g}" for name, value in values.items() if value is not None]
    zeros = [f"{100 * statistics.zeros:.1f} % zeros"] if statistics.zeros is not None else []
    not_finite = [f"{statistics.not_finite:,} not finite"] if statistics.not_finite else []
    st.caption(" · ".join([format_count(statistics.count, "value"), *shown, *zeros, *not_finite]))
