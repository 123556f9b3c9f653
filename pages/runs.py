"""Runs: the list of all runs, and two of them side by side."""

from __future__ import annotations

import streamlit as st

from convnet_core.common.files import runs_root
from convnet_core.language import _
from convnet_core.runs.library import list_runs
from convnet_core.runs.run import Run
from pages.components import address, frame
from pages.components import job_area as jobs
from pages.components import run_state as shared
from pages.components.run_list import show_runs
from pages.components.two_runs import show_two_runs


def main() -> None:
    """The page, from top to bottom."""
    st.title(_("Runs"))
    run = shared.selected_run()
    jobs.show_start_error()
    if run is None:
        st.write(_("There is no run yet. One button makes the first, in about a minute."))
        shared.pipeline_button()
        return
    with st.container(key="runs"):
        beside = choose_beside(run)
        if beside:
            show_two_runs(run, Run.open(runs_root() / beside))
            st.header(_("All runs"))
        show_runs(run)


def choose_beside(run: Run) -> str | None:
    """A selector of a run to show beside the selected one."""
    if wanted := st.session_state.pop("beside", None):
        st.session_state["with"] = wanted
    if not (st.session_state.get("with") or st.query_params.get("with")):
        return None  # the list below has a box for each run
    return address.choose_run(
        _("Beside the selected run"),
        [other.name for other in list_runs(runs_root()) if other.name != run.name],
        key="with",
        placeholder=_("Choose a second run to see both side by side"),
    )


frame.show(main)
