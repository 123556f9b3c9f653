"""Runs: the list of all runs, and two of them side by side."""

from __future__ import annotations

import streamlit as st

from convnet_core.language import _
from pages.components import frame
from pages.components import job_area as jobs
from pages.components import run_state as shared
from pages.components.run_list import show_runs


def main() -> None:
    """The page, from top to bottom."""
    st.title(_("Runs"))
    run = shared.selected_run()
    jobs.show_start_error()
    if run is None:
        shared.pipeline_button()
        return
    with st.container(key="runs"):
        show_runs(run)


frame.show(main)
