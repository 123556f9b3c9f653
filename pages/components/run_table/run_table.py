"""Show the list of runs: a click on a row opens its run, and boxes choose runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from convnet_core.common.formatting import format_share
from convnet_core.jobs.overview import Overview
from convnet_core.language import _
from pages.components.browser_part import read_part
from pages.components.names import data_name, name_of

_HTML, _CSS, _JS = read_part(__file__, "table")
_component = st.components.v2.component("convnet.run_table", html=_HTML, css=_CSS, js=_JS)
_KEY = "run table"


def show(items: Sequence[Overview], current: str) -> tuple[str | None, list[str]]:
    """Show a row for each run; `current` is the folder of the run that all pages show.

    Returns the folder of the run whose row was just clicked, and the folders of those that are chosen.
    """
    chosen = chosen_runs([item.name for item in items])
    rows = tuple(  # not a list: for one, Streamlit 1.67 imports pandas, half a second
        {
            "name": item.name,
            "title": item.title,
            "notes": item.notes,
            "cells": _cells(item),
            "chosen": item.name in chosen,
            "current": item.name == current,
        }
        for item in items
    )
    headings = (_("Run"), _("State"), _("Data"), _("Network"), _("Accuracy"), _("Verdict"))
    found: Any = _component(
        key=_KEY,
        data={"headings": headings, "rows": rows, "choose": _("Choose {name}")},
        on_chosen_change=lambda: None,
        on_open_change=lambda: None,
    )
    return found.open, chosen


def chosen_runs(folders: Sequence[str]) -> list[str]:
    """The runs that are chosen in the table, of those in `folders`."""
    chosen = (st.session_state.get(_KEY) or {}).get("chosen") or []
    return [name for name in folders if name in chosen]


def _cells(item: Overview) -> list[str]:
    return [
        _state(item),
        data_name(item.data) if item.data else "–",
        item.architecture or (_("imported") if "train" not in item.stages else "–"),
        format_share(item.accuracy),
        item.verdict_text,
    ]


def _state(item: Overview) -> str:
    if item.running:
        return _("{stage} is running", stage=name_of(item.running))
    if item.resumable:
        return _("stopped")
    failed = next((view.name for view in item.stages.values() if view.state == "failed"), None)
    return _("{stage} failed", stage=name_of(failed)) if failed else _("idle")
