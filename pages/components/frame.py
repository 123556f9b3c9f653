"""What surrounds every page: its set-up, the menu, the run picker."""

from __future__ import annotations

import contextlib
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.PageConfig_pb2 import PageConfig
from streamlit.runtime.scriptrunner import get_script_run_ctx

from convnet_core.common.files import runs_root
from convnet_core.common.memory import share_few_heaps
from convnet_core.errors import ConvNetError
from convnet_core.runs.library import list_runs
from pages.components import job_area as jobs

_ICON = Path(__file__).parent / "icon.svg"
_PAGES = Path(__file__).parent.parent
_MENU = {
    "Start": (("home", "Home", "home"), ("data", "Data", "dataset"), ("train", "Train", "model_training")),
    "Convert": (("export", "Export", "account_tree"), ("convert", "Convert", "transform")),
    "Prove": (
        ("compare", "Compare", "balance"),
        ("dissect", "Dissect", "biotech"),
        ("benchmark", "Benchmark", "speed"),
        ("sketchpad", "Sketchpad", "draw"),
    ),
}


def draw() -> StreamlitPage:
    """What surrounds every page: its set-up, the menu, the run picker. Gives the page that the address asks for."""
    share_few_heaps()
    st.set_page_config(page_title="ConvNet: PyTorch to TensorFlow", layout="wide")
    _set_icon()
    pages = {
        group: [
            st.Page(
                _PAGES / f"{name}.py",
                title=title,
                icon=f":material/{icon}:",
                url_path="" if name == "home" else name,
                default=name == "home",
            )
            for name, title, icon in entries
        ]
        for group, entries in _MENU.items()
    }
    pages["Start"].append(st.Page(_lead_home, title="Home", url_path="home", visibility="hidden"))
    page = st.navigation(pages)
    if st.session_state.get("page") != page.url_path:
        st.session_state["page"] = page.url_path
        jobs.forget_error()
    _choose_run()
    return page


def _lead_home() -> None:
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


@contextlib.contextmanager
def inside_app() -> Iterator[None]:
    """While app.py runs a page."""
    st.session_state["frame"] = "drawn"
    try:
        yield
    except ConvNetError as error:  # a file of the run is damaged or gone, and the page cannot do without it
        jobs.explain(error)
    finally:
        st.session_state["frame"] = "known"


def through_the_app() -> None:
    """First call of each page: draw the frame where app.py has not.

    Streamlit 1.67 executes `pages/x.py` by itself when /x is the first request to a new server, since it
    knows of `st.navigation` only once that was called. AppTest does so at every run but the first; there the
    menu is known already, and naming the pages once more would give the page's widgets other identities.
    """
    match st.session_state.get("frame"):
        case "drawn":
            return
        case "known":
            _choose_run()
        case _:
            draw()
            st.rerun()  # through app.py from now on; else the first click would meet widgets of another identity


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
