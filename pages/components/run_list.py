"""The list of runs: open one, choose some, delete them."""

from __future__ import annotations

import streamlit as st

from convnet_core.common.files import runs_root
from convnet_core.jobs.overview import overviews
from convnet_core.language import _, plural
from convnet_core.runs.library import delete_runs, list_runs
from convnet_core.runs.run import Run
from pages.components import run_state as shared
from pages.components.run_table import run_table

_MOST_RUNS = 50


def show_runs(selected: Run) -> None:
    """Show the recent runs, and what to do with the chosen ones."""
    items = overviews(list_runs(runs_root())[:_MOST_RUNS])
    actions = st.container(horizontal=True, vertical_alignment="center")
    opened, chosen = run_table.show(items, selected.name)
    if opened:
        st.session_state["open_run"] = opened
        st.switch_page("pages/home.py")
    with actions:
        if len(chosen) != 2:
            st.caption(_("A click opens a run. Choose two to see them side by side."))
        elif st.button(_("Side by side"), icon=":material/compare_arrows:", type="primary"):
            st.session_state["open_run"], st.session_state["beside"] = chosen
            st.rerun()
        if chosen:
            _delete_button(chosen)


def _delete_button(folders: list[str]) -> None:
    with st.popover(_("Delete"), icon=":material/delete:"):
        names = [f"- {shared.name_in_markdown(name)}" for name in folders]
        st.markdown("\n".join([_("With all their files:"), "", *names]))
        if st.button(plural("Delete {count} run", "Delete {count} runs", len(folders))):
            delete_runs([Run.open(runs_root() / name) for name in folders])
            st.rerun()
