"""The list of runs: choose and delete one."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import streamlit as st

from convnet_core.common.files import runs_root
from convnet_core.common.formatting import format_moment, format_share
from convnet_core.jobs.overview import Overview, overviews
from convnet_core.language import _
from convnet_core.runs.library import delete_runs, list_runs
from convnet_core.runs.run import Run
from pages.components import run_state as shared
from pages.components.names import name_of

_MOST_RUNS = 50


def show_runs(chosen: Run) -> None:
    """Show the recent runs, and a button to delete the selected one."""
    items = overviews(list_runs(runs_root())[:_MOST_RUNS])
    selection = st.dataframe(
        [_row(item) for item in items],
        hide_index=True,
        width="stretch",
        on_select="rerun",
        selection_mode="single-row",
        key=f"runs {chosen.name} {[item.name for item in items]}",  # a selection is a row number
    )
    rows = selection.selection.rows
    if rows and items[rows[0]].name != chosen.name:
        st.session_state["open_run"] = items[rows[0]].name
        st.rerun()
    with st.container(horizontal=True), st.popover(_("Delete"), icon=":material/delete:"):
        st.write(_("Delete **{run}** with all its files?", run=shared.name_in_markdown(chosen)))
        if st.button(_("Delete the run")):
            delete_runs([chosen])
            st.rerun()


def _row(item: Overview) -> dict[str, str]:
    return {
        _("Run"): item.title,
        _("State"): _state(item),
        _("Data"): Path(item.data).name if item.data else "–",
        _("Network"): item.architecture or (_("imported") if "train" not in item.stages else "–"),
        _("Accuracy"): format_share(item.accuracy),
        _("Verdict"): item.verdict_text,
        _("Created"): format_moment(datetime.fromisoformat(item.created)) if item.created else "–",
    }


def _state(item: Overview) -> str:
    if item.running:
        return _("{stage} is running", stage=name_of(item.running))
    return _("stopped") if item.resumable else _("idle")
