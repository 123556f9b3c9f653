"""A model's graph as a picture to walk through: zoom, search, a click on a node shows what is in it."""

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
    """The graph of a graph.json, one for all sessions; read again when the file's digest changes. Raises ModelError."""
    return graph_file.read(path)


@st.fragment
def explore(graph: Graph, sha256: str) -> None:
    """The picture on the left, the chosen node on the right. `sha256` tells one graph from another."""
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
            help="Off: the view begins at the inputs, or at the node that is chosen or found",
        )
    with left:
        _picture(graph, hits, node, whole=whole, looks=(sha256, text, whole))
    with right:
        if node is None:
            st.info("Click a node in the picture, or choose one above.", icon=":material/ads_click:")
        else:
            details(graph, node)


def _search(graph: Graph) -> tuple[str, list[Node]]:
    """The field to search in; the text and the nodes that it finds."""
    text = st.text_input(
        "Search",
        key="find",
        bind="query-params",
        placeholder="name, operation or tensor",
        help="Rings the nodes whose operation holds this text; where there is none, those whose name does, else those "
        "with such a tensor",
    )
    hits = graph.find(text)
    operations = sum(node.kind == "op" for node in graph.nodes)
    st.caption(
        f"{len(hits)} of {format_count(len(graph.nodes), 'node')} found."
        if text.strip()
        else f"{format_count(operations, 'operation')}. Data flows from top to bottom; scroll to zoom, drag to move, "
        "point at a node to see its name."
    )
    return text, hits


def _choice(graph: Graph) -> Node | None:
    """The chosen node, by name or by a click in the picture."""
    if st.session_state.get("node") not in graph.by_id:
        st.session_state.pop("node", None)  # it was another run's
    chosen = st.selectbox(
        "Node",
        list(graph.by_id),
        index=None,
        key="node",
        bind="query-params",
        placeholder="choose a node",
        help="Its attributes, its inputs and outputs, and its weights are shown below",
    )
    return graph.by_id.get(chosen) if chosen else None


def _picture(graph: Graph, hits: list[Node], node: Node | None, *, whole: bool, looks: tuple[Any, ...]) -> None:
    """The figure. A click moves the mark in the browser, so the figure stays as it is and keeps its zoom.

    It is made anew, under another key, where a node was chosen by name, what it shows has changed, or the
    browser has lost it with a change of page.
    """
    drawn = st.session_state.get("drawn") or _Drawn()
    now = node.id if node else None
    if drawn.looks != looks or now != drawn.clicked or drawn.key not in st.session_state:
        drawn = _Drawn(drawn.version + 1, looks, marked=now, clicked=now)
        st.session_state["drawn"] = drawn
    st.plotly_chart(
        figure.draw(graph, hits, drawn.marked, whole=whole, dark=st.context.theme.type == "dark"),
        width="stretch",
        key=drawn.key,
        on_select="rerun",
        selection_mode="points",
        config={"scrollZoom": True},
        alt="The model's graph, from its inputs at the top to its outputs at the bottom",
    )


@dataclass
class _Drawn:
    """The figure that the browser has: what it shows, the node marked in it at first, and the one clicked since."""

    version: int = 0
    looks: tuple[Any, ...] = ()
    marked: str | None = None
    clicked: str | None = None

    @property
    def key(self) -> str:
        return f"graph-{self.version}"


def _take_click(graph: Graph) -> None:
    """Choose the node that was clicked. A click beside all nodes changes nothing."""
    drawn: _Drawn | None = st.session_state.get("drawn")
    points = st.session_state[drawn.key].selection.points if drawn and drawn.key in st.session_state else []
    name = points[-1]["customdata"] if points else None
    if drawn and name in graph.by_id and name != drawn.clicked:
        drawn.clicked = st.session_state["node"] = name


def details(graph: Graph, node: Node) -> None:
    """What a node is: its operation and attributes, what goes in and comes out, its weights."""
    st.subheader(node.versioned_op if node.kind == "op" else f"{node.op} of the model", anchor=False)
    st.caption(_verbatim(node.name) if node.name else "It has no name in the file.")
    if node.attributes:
        _table([{"Attribute": name, "Value": text} for name, text in node.attributes.items()])
    for title, names_of in (("Input", node.inputs), ("Output", node.outputs)):
        if names_of:
            _table(
                [
                    {title: item.name or "(left out)", "Shape and type": _type(item)}
                    for item in graph.tensors_of(names_of)
                ]
            )
    made = node.outputs if node.op == "Constant" else ()
    for tensor in graph.tensors_of(dict.fromkeys((*node.inputs, *made))):
        if tensor.kind == "weight":
            _weight(tensor)


def _table(lines: list[dict[str, str]]) -> None:
    st.dataframe(lines, hide_index=True, width="stretch")


def _type(tensor: Tensor) -> str:
    return f"{tensor.shape_text} {tensor.dtype}".strip() if tensor.name else "–"


def _verbatim(text: str) -> str:
    """A name as it is, whatever Markdown would make of it."""
    return f"`` {text} ``"


def _weight(tensor: Tensor) -> None:
    """The histogram of a weight, and its statistics."""
    st.markdown(f"{_verbatim(tensor.name)}  \n{tensor.text}")
    found = tensor.statistics
    if found is None:
        st.caption("Its values are no numbers, or cannot be read.")
        return
    if found.counts:
        st.plotly_chart(
            figure.histogram(found), width="stretch", key=f"weight-{tensor.name}", config={"displayModeBar": False}
        )
    values = {name: getattr(found, name) for name in ("min", "max", "mean", "std")}
    shown = [f"{name} {value:.4g}" for name, value in values.items() if value is not None]
    zeros = [f"{100 * found.zeros:.1f} % zeros"] if found.zeros is not None else []
    lost = [f"{found.not_finite:,} not finite"] if found.not_finite else []
    st.caption(" · ".join([format_count(found.count, "value"), *shown, *zeros, *lost]))
