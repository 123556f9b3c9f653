"""Show a graph to read: boxes, edges, folds that open by a click, a search, a minimap, and a panel beside it.

Python lays the graph out, the browser paints it. A click sends a message, and the fragment around the view runs again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from convnet_core.language import _, plural
from pages.components.browser_part import CONTROLS
from pages.components.graph_view.drawing import Drawing
from pages.components.graph_view.parts import Legend, Panel

_HERE = Path(__file__).parent
_HTML, _CSS = ((_HERE / f"view.{kind}").read_text("utf-8") for kind in ("html", "css"))
SCRIPT = "\n".join((_HERE / f"{name}.js").read_text("utf-8") for name in ("paint", "panel", "view", "input"))
_component = st.components.v2.component("convnet.graph_view", html=_HTML, css=CONTROLS + _CSS, js=SCRIPT)


def show(
    drawing: Drawing,
    key: str,
    choose: Callable[[str], None],
    *,
    marked: Sequence[str] = (),
    colors: Mapping[str, str] | None = None,
    legend: Legend | None = None,
    panel: Panel | None = None,
    folds: str = "",
    height: float = 0.76,
) -> None:
    """Show a graph, with these boxes marked; the folds around them are open at first.

    `choose` gets the id of the box that was clicked, or "" when the panel is closed. `colors` are CSS colors (#rrggbb)
    of boxes by id; a closed fold has the first color of its boxes. Views with the same `folds` open and close together.
    `height` is the most of the window's height that it takes.
    """
    around = {fold: True for box in marked for fold in drawing.folds_around(box)}
    toggles: dict[str, bool] = st.session_state.setdefault(f"{folds or key} folds", around)
    opened = _opened(drawing, toggles)
    _component(
        key=key,
        data={
            **drawing.view(opened),
            "marked": list(marked),
            "colors": drawing.colors_of(colors or {}, opened),
            "legend": legend and legend.to_json(),
            "height": height,
            "panel": panel and panel.to_json(),
            "words": _words(drawing, opened),
        },
        on_event_change=lambda: _receive(st.session_state[key]["event"], drawing, toggles, choose),
    )


def _opened(drawing: Drawing, toggles: Mapping[str, bool]) -> frozenset[str]:
    """The folds that are open: those that are at first, but for what was clicked since."""
    return frozenset(fold for fold in drawing.folds if toggles.get(fold, fold in drawing.open_at_first))


def _receive(event: Any, drawing: Drawing, toggles: dict[str, bool], choose: Callable[[str], None]) -> None:
    """Do what a message from the browser asks for; one with an unknown node or fold does nothing."""
    kind, name = event.get("kind"), event.get("id", "")
    opened = _opened(drawing, toggles)
    if kind == "all":
        toggles.update(dict.fromkeys(drawing.folds, len(opened) < len(drawing.folds)))
    elif kind == "fold" and name in drawing.folds:
        toggles[name] = name not in opened
    elif kind == "choose" and (name in drawing.boxes or not name):
        if event.get("reveal"):
            toggles.update(dict.fromkeys(drawing.folds_around(name), True))
        choose(name)


def _words(drawing: Drawing, opened: frozenset[str]) -> dict[str, Any]:
    """The texts of the view."""
    counts = {len(item.boxes) for item in drawing.folds.values()}
    every = _("Close all folds") if len(opened) == len(drawing.folds) else _("Open all folds")
    return {
        "view": _(
            "The graph. Arrow keys move it, plus and minus zoom, Tab goes from node to node, Enter opens a node or a "
            "fold, Escape leaves"
        ),
        "search": _("Search: operator, name or tensor"),
        "nothing": _("no match"),
        "previous": _("Previous match"),
        "next": _("Next match"),
        "in": _("Zoom in"),
        "out": _("Zoom out"),
        "fit": _("Show the whole graph"),
        "close": _("Close"),
        "opened": _("open"),
        "closed": _("folded"),
        "all": every if drawing.folds else "",
        "counts": {count: plural("{count} node", "{count} nodes", count) for count in counts},
    }
