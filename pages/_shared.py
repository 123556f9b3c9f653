"""What the pages share: the menu, the choice of a run, empty and stale states, the table of runtimes."""

from __future__ import annotations

import contextlib
import functools
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.navigation.page import StreamlitPage
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.PageConfig_pb2 import PageConfig
from streamlit.runtime.scriptrunner import get_script_run_ctx

from convnet_core import artefacts
from convnet_core.errors import ConvNetError, RunError
from convnet_core.files import runs_root
from convnet_core.formats import format_error, format_share, format_size
from convnet_core.library import list_runs, new_run
from convnet_core.memory import share_few_heaps
from convnet_core.runs import STAGES, Run
from pages import _jobs as jobs

_FOLDER = Path(__file__).parent
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


def frame() -> StreamlitPage:
    """What surrounds every page: its set-up, the menu, the run picker. Gives the page that the address asks for."""
    share_few_heaps()
    st.set_page_config(page_title="ConvNet: PyTorch to TensorFlow", layout="wide")
    _set_icon()
    pages = {
        group: [
            st.Page(
                _FOLDER / f"{name}.py",
                title=title,
                icon=f":material/{icon}:",
                url_path=name,
                default=name == "home",
            )
            for name, title, icon in entries
        ]
        for group, entries in _MENU.items()
    }
    page = st.navigation(pages)
    if st.session_state.get("page") != page.url_path:
        st.session_state["page"] = page.url_path
        jobs.forget_error()
    _choose_run()
    return page


def _set_icon() -> None:
    """An icon of our own: Streamlit fetches emoji and Material icons for the browser's tab from Google, pages' own too.

    Told to the browser as `st.set_page_config` does it, which in Streamlit 1.67 imports NumPy and Pillow for an icon
    from a file, and so keeps the first button of a new server from the screen for 0.15 s.
    """
    context = get_script_run_ctx()
    if context is None:
        return
    told = ForwardMsg()
    drawn = b64encode((_FOLDER / "icon.svg").read_bytes()).decode()
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
            frame()
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
    st.query_params["run"] = st.session_state["run"]


def chosen_run() -> Run | None:
    """The run that the picker shows; None where there is none yet."""
    name = st.session_state.get("run")
    path = runs_root() / name if name else None
    return Run.open(path) if path and (path / "run.json").is_file() else None


def begin_with(run: Run, **values: Any) -> None:
    """Put widgets at a run's own values when that run is shown for the first time after another; for their keys."""
    for key, value in values.items():
        mark = f"{key} of"
        if st.session_state.get(mark, run.name) != run.name:
            st.session_state[key] = value
        st.session_state[mark] = run.name


def need(stage: str, what: str) -> Run:
    """The chosen run with a stage in it; otherwise says what to do, with the button that does it, and ends the page.

    `what` begins the sentence: "Comparing" needs a run.
    """
    run = chosen_run()
    if run is not None and run.state(stage).state != "missing":
        return run
    jobs.refusal()
    if run is None or not jobs.area(run):
        if run is None or run.state("train").state == run.state("export").state == "missing":
            st.info(f"{what} needs a trained network. One button makes all, in one to two minutes.")
            pipeline_button()
            st.page_link("pages/train.py", label="Or train one with your own settings", icon=":material/tune:")
            st.page_link("pages/home.py", label="Or bring a network of your own as ONNX", icon=":material/upload_file:")
        else:
            st.info(f"The run {run.name} has no {stage.split('/')[0]} yet.")
            refresh_button(run, "Make what is missing")
    return st.stop()


def digits_only(what: str) -> bool:
    """Say so where the chosen run holds a model from elsewhere; `what` begins the sentence. Whether it is so."""
    run = chosen_run()
    if run is None or not run.is_model:
        return False
    st.info(
        f"The run **{run.name}** holds a model from elsewhere. {what} a network that reads digits: choose another run "
        "in the sidebar, or make one with one button on Home.",
        icon=":material/draw:",
    )
    with st.container(horizontal=True):
        st.page_link("pages/home.py", label="Home", icon=":material/home:")
        st.page_link("pages/export.py", label="Look at this model", icon=":material/account_tree:")
        st.page_link("pages/convert.py", label="Convert it", icon=":material/transform:")
    return True


def download(run: Run, name: str, label: str, file_name: str, **options: Any) -> None:
    """A button for the file at a path inside the run, which is read when it is asked for; or why it is not given out.

    That is found out here as well, since Streamlit would then say "Failed to generate file" alone.
    """
    try:
        artefacts.own(run, name)
    except RunError as error:
        jobs.explain(error)
        return
    st.download_button(label, functools.partial(artefacts.content, run, name), file_name, **options)


def pipeline_button(*, disabled: bool = False) -> None:
    """Everything with one click: a new run, the preset `fast` on the embedded data."""
    jobs.start_button(
        "Run the pipeline",
        lambda: new_run(runs_root(), "fast-strokes"),
        ["pipeline", "--preset", "fast", "--data", "strokes"],
        type="primary",
        icon=":material/play_arrow:",
        disabled=disabled,
        help="Trains on generated handwriting, exports, converts and compares, into a new run",
    )


def refresh_button(run: Run, label: str) -> None:
    """Run what is missing or stale in a run."""
    jobs.start_button(
        label,
        lambda: run,
        ["refresh"],
        type="primary",
        icon=":material/refresh:",
        help="Runs each stage that is missing or stale, in order, with the settings that it had",
    )


def warn_of_stale(run: Run, stage: str) -> bool:
    """Say so when a stage no longer belongs to what is ahead of it, with the button that mends it; whether it is so."""
    state = run.state(stage)
    if state.state != "stale":
        return False
    again = [name.split("/")[0] for name in STAGES if run.state(name).state == "stale"]
    st.warning(f"This is stale: {state.reason}. To run again: {', '.join(again)}.", icon=":material/warning:")
    refresh_button(run, "Bring up to date")
    return True


def _verdict(line: dict[str, Any]) -> str:
    if not line["passed"]:
        return f"✗ {line['reason']}"
    return "✓ pass" if line["judged"] else "not judged: no labels"


def runtimes(report: dict[str, Any], *, stale: bool = False) -> None:
    """The verdict and the table of runtimes of a report.json. A stale verdict is not shown as one that holds."""
    if stale:
        st.info(f"When these were compared, the verdict was: {report['verdict']}.", icon=":material/history:")
    elif report["verdict"] == "agree":
        st.success(f"All runtimes agree with {report['reference']}.", icon=":material/verified:")
    else:
        failed = ", ".join(line["name"] for line in report["runtimes"] if not line["passed"])
        st.error(f"Not all runtimes agree with {report['reference']}: {failed}", icon=":material/error:")
    st.dataframe(
        [
            {
                "Runtime": line["name"],
                "Converter": line["converter"] or "–",
                "Verdict": f"✗ {line['reason']}"
                if not line["passed"]
                else "✓ pass"
                if line["judged"]
                else "not judged",
                "Size": format_size(line["bytes"]),
                "Accuracy": format_share(line["accuracy"]),
                "Equal labels": format_share(line["label_agreement"]),
                "Largest error": format_error(line["max_abs_error"]),
            }
            for line in report["runtimes"]
        ],
        hide_index=True,
        width="stretch",
    )
