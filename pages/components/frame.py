"""The frame of every page: page setup, run picker and error handling. The menu is in app.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from convnet_core.common.files import runs_root
from convnet_core.common.memory import share_few_heaps
from convnet_core.errors import ConvNetError
from convnet_core.language import _
from convnet_core.runs.library import list_runs
from convnet_core.runs.names import shown_names
from convnet_core.runs.run import Run
from pages.components import job_area as jobs
from pages.components import language_switch, run_name, shared_link, trail
from pages.components.run_state import selected_run, shown_name
from pages.components.tour import tour

_HERE = Path(__file__).parent


def set_up() -> None:
    """Set the title and icon of the browser tab, and the wide layout.

    The icon is a file of ours: for emoji and Material icons, Streamlit 1.67 asks Google.
    """
    share_few_heaps()
    language_switch.set_up()
    st.set_page_config(page_title=_("ConvNet: PyTorch to TensorFlow"), page_icon=str(_HERE / "icon.svg"), layout="wide")


def draw(page: StreamlitPage) -> None:
    """Draw the run picker beside the page, and set the style of all pages."""
    st.html(_HERE / "style.css")
    shared_link.follow()
    shared_link.apply()
    if st.session_state.get("page") != page.url_path:
        st.session_state["page"] = page.url_path
        jobs.clear_start_error()
    _choose_run()
    language_switch.draw()
    with st.sidebar:
        shared_link.share_button()
        tour.button()
    run = selected_run()
    _set_tab_title(page, run)
    trail.show(page.url_path or "home", run)


def _set_tab_title(page: StreamlitPage, run: Run | None) -> None:
    """Tell the tabs of a browser apart: by page and run."""
    names = [page.title, shown_name(run)] if run else [page.title]
    st.set_page_config(page_title=_("{page} – ConvNet", page=" · ".join(names)))


def show(main: Callable[[], None]) -> None:
    """Draw a page; call it on the last line of each page's file."""
    try:
        main()
    except ConvNetError as error:  # a file that the page needs is damaged or missing
        jobs.show_error(error)


def redirect_to_home() -> None:
    """Redirect /home, since Streamlit serves the default page only at /."""
    st.switch_page("pages/home.py", query_params=st.query_params.to_dict())


def _choose_run() -> None:
    """Draw the run picker in the sidebar. The choice is stored in the address to survive a reload.

    app.py draws it on every page, because a widget that a page draws loses its value on the next page.
    """
    runs = list_runs(runs_root())
    if not runs:
        return
    names = st.session_state["names"] = shown_names(runs)
    chosen = st.session_state.get("run")
    if chosen not in names:  # Streamlit 1.67 keeps the choice by its label, and a run can get another name
        chosen = st.query_params.get("run")
    wanted = st.session_state.pop("open_run", None) or chosen
    if wanted != st.session_state.get("run") or wanted not in names:
        st.session_state["run"] = wanted if wanted in names else runs[0].name
    st.sidebar.selectbox(
        _("Run"),
        list(names),
        format_func=lambda folder: names.get(folder, folder),
        key="run",
        on_change=jobs.clear_start_error,
        help=_("All pages show this run. Create a new one on Home"),
    )
    with st.sidebar:
        run_name.show_editor(next(run for run in runs if run.name == st.session_state["run"]))
    # Only if it changes: a write sends the whole address as the server knows it, and so reverts what a moving slider
    # has changed since.
    if st.query_params.get("run") != st.session_state["run"]:
        st.query_params["run"] = st.session_state["run"]
