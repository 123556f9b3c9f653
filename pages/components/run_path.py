"""The way of a run as a picture: from PyTorch over ONNX to TensorFlow and the verdict, with what each stage made."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from urllib.parse import urlencode

import streamlit as st

from convnet_core.jobs.overview import StageView
from convnet_core.language import N_, _
from pages.components import shared_link
from pages.components.names import name_of

STATES = {
    "missing": (N_("not made yet"), "○", "#8A8F98"),
    "waiting": (N_("waiting"), "○", "#8A8F98"),
    "running": (N_("running"), "●", "#2E86C8"),
    "fresh": (N_("up to date"), "✓", "#009E73"),
    "stale": (N_("out of date"), "!", "#E69F00"),
    "stopped": (N_("stopped"), "‖", "#E69F00"),
    "failed": (N_("failed"), "✗", "#D55E00"),
}
"""Words, a mark and a color for each state of a stage; the colors are readable on a light and on a dark page."""

_PRODUCTS = {
    "train": "PyTorch",
    "export": "ONNX",
    "convert": "TensorFlow, LiteRT",
    "compare": N_("Verdict"),
}
_EMPTY = {
    "train": N_("a network"),
    "export": N_("a graph"),
    "convert": N_("its translation"),
    "compare": N_("proven or refuted"),
}
_REFUTED = ("✗", "#D55E00")
_STYLE = """<style>
.way {display: flex; flex-wrap: wrap; align-items: stretch; row-gap: 0.75rem; font-size: 0.875rem; line-height: 1.35}
.way a.box {color: inherit; text-decoration: none}
.way a.box:hover, .way a.box:focus-visible {background: color-mix(in srgb, var(--state) 12%, transparent)}
.way .box {flex: 1 1 8.5rem; min-width: 8.5rem; padding: 0.6rem 0.8rem; border-radius: 0.6rem; border: 1px solid;
  border-color: color-mix(in srgb, currentColor 20%, transparent); border-top: 4px solid var(--state)}
.way .missing, .way .waiting {border-style: dashed; border-top-style: dashed}
.way .running {background: color-mix(in srgb, var(--state) 14%, transparent)}
.way b {display: block; font-size: 1rem}
.way .made {display: block; font-size: 1.05rem; font-weight: 600; overflow-wrap: anywhere}
.way .stale .made, .way .failed .made, .way .stopped .made {font-size: 0.8rem; font-weight: 400}
.way .state {display: block; opacity: 0.85}
.way .state i {font-style: normal; font-weight: 700; color: color-mix(in srgb, var(--state) 50%, currentColor)}
.way .step {flex: 0 0 4.6rem; align-self: center; text-align: center; font-size: 0.8rem; opacity: 0.9}
.way .step::after {content: ""; display: block; height: 12px; margin: 2px 8px; background: currentColor;
  clip-path: polygon(0 42%, 84% 42%, 84% 0, 100% 50%, 84% 100%, 84% 58%, 0 58%)}
@media (max-width: 640px) {.way {flex-direction: column} .way .box, .way .step {flex-basis: auto}
  .way .step::after {content: "↓"; height: auto; background: none; clip-path: none}}
</style>"""


def show_path(views: Mapping[str, StageView]) -> None:
    """Draw the stages from left to right, each a link to its page.

    The command of a stage stands on the arrow that leads to its product.
    """
    run = {"run": name} if (name := st.session_state.get("run")) else {}
    query = urlencode({**run, **shared_link.in_links()})
    parts = []
    for number, view in enumerate(views.values()):
        if number:
            parts.append(f'<div class="step">{name_of(view.name)}</div>')
        parts.append(_box(view, query))
    label = f'role="group" aria-label="{_("From PyTorch to the verdict")}"'
    st.html(f'{_STYLE}<div class="way" {label} data-testid="way">{"".join(parts)}</div>')


def _box(view: StageView, query: str) -> str:
    """What a stage makes, its result, and its state.

    A plain link to the page, because a page that is drawn anew every 0.4 s would lose the focus of a widget.
    """
    words, mark, color = STATES[view.state]
    if view.refuted:
        mark, color = _REFUTED
    product = _(_PRODUCTS[view.name])
    if view.converter not in ("", "native"):
        product = _("{product} by {converter}", product=product, converter=view.converter)
    detail = view.detail or (_(_EMPTY[view.name]) if view.state in ("missing", "waiting") else "")
    return (
        f'<a class="box {view.state}" href="{view.name}?{escape(query)}" style="--state: {color}">'
        f"<b>{escape(product)}</b>"
        f'<span class="made">{escape(detail)}</span>'
        f'<span class="state"><i aria-hidden="true">{mark}</i> {_(words)}</span></a>'
    )
