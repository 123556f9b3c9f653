"""What surrounds every page: its set-up, the run picker, and how a page is drawn. The menu is in app.py."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.PageConfig_pb2 import PageConfig
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import get_script_run_ctx

from convnet_core.common.files import runs_root
from convnet_core.common.memory import share_few_heaps
from convnet_core.errors import ConvNetError
from convnet_core.runs.library import list_runs
from pages.components import job_area as jobs

_ICON = Path(__file__).parent / "icon.svg"


def set_up() -> None:
    """What every page has: the title and icon in the browser's tab, the whole width."""
    share_few_heaps()
    st.set_page_config(page_title="ConvNet: PyTorch to TensorFlow", layout="wide")
    _set_icon()


def draw(page: StreamlitPage) -> None:
    """What stands beside a page, which the address asks for: the run picker."""
    if st.session_state.get("page") != page.url_path:
        st.session_state["page"] = page.url_path
        jobs.forget_error()
    _choose_run()


def show(main: Callable[[], None]) -> None:
    """Draw a page: the last line of each page's file.

    When /train is the first request to a new server, Streamlit 1.67 executes pages/train.py and not app.py: it takes
    every file there for a page of its own until `st.navigation` has been called once. It is told so here instead, and
    begins again with app.py.
    """
    if PagesManager.uses_pages_directory:
        PagesManager.uses_pages_directory = False
        st.rerun()
    try:
        main()
    except ConvNetError as error:  # a file of the run is damaged or gone, and the page cannot do without it
        jobs.explain(error)


def lead_home() -> None:
    """What the address /home opens: Streamlit knows the default page by the address / alone."""
    st.switch_page("pages/home.py", query_params=st.query_params.to_dict())


def _set_icon() -> None:
    """An icon of our own: Streamlit fetches emoji and Material icons for the browser's tab from Google, pages' own too.

    Told to the browser as `st.set_page_config` does it, which in Streamlit 1.67 imports NumPy and Pillow for an icon
    from a file, and so keeps the first button of a new server from the screen for 0.15 s.
    """
    context = get_script_run_ctx()
    if context is None:
        return
    told = ForwardMsg()
    drawn = b64encode(_ICON.read_bytes()).decode()
    told.page_config_changed.favicon = f"data:image/svg+xml;base64,{drawn}"
    told.page_config_changed.layout = PageConfig.LAYOUT_UNSET
    told.page_config_changed.initial_sidebar_state = PageConfig.SIDEBAR_UNSET
    context.enqueue(told)


def _choose_run() -> None:
    """The run picker in the sidebar. The choice is kept in the address, so that a reload finds it again.

    Drawn by app.py on every page, because a widget that a page draws forgets its value on the next page.
    """
    names = [run.name for run in list_runs(runs_root())]
    if not names:
        return
    wanted = st.session_state.pop("open_run", None) or st.session_state.get("run") or st.query_params.get("run")
    if st.session_state.get("run") not in names or wanted != st.session_state.get("run"):
        st.session_state["run"] = wanted if wanted in names else names[0]
    st.sidebar.selectbox(
        "Run",
        names,
        key="run",
        on_change=jobs.forget_error,
        help="The run that every page shows; a new one is made on Home",
    )
    # Only where it changes: a write sends the whole address as the server knows it, which takes back what a slider that
    # moves has put there since.
    if st.query_params.get("run") != st.session_state["run"]:
        st.query_params["run"] = st.session_state["run"]
