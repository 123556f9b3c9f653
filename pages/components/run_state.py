"""The selected run: what it lacks, what is out of date, and its downloads."""

from __future__ import annotations

from typing import Any, Literal

import streamlit as st

from convnet_core.common.files import runs_root
from convnet_core.common.formatting import list_words
from convnet_core.config.stages import SAMPLE_PRESET
from convnet_core.errors import RunError
from convnet_core.language import _
from convnet_core.runs.library import new_run
from convnet_core.runs.run import Run
from convnet_core.runs.stage_folders import STAGES
from pages.components import job_area as jobs
from pages.components.markdown import escape
from pages.components.names import name_of, page_title


def selected_run() -> Run | None:
    """The run selected in the picker; None if there is none yet."""
    name = st.session_state.get("run")
    path = runs_root() / name if name else None
    return Run.open(path) if path and (path / "run.json").is_file() else None


def shown_name(run: Run | str) -> str:
    """What to call a run, given by itself or by its folder's name. The frame sets the names before each page."""
    folder = run if isinstance(run, str) else run.name
    return str(st.session_state.get("names", {}).get(folder, folder))


def name_in_markdown(run: Run | str) -> str:
    """The same, in Markdown: people may write anything into a name."""
    return escape(shown_name(run))


def set_initial_values(run: Run, **values: Any) -> None:
    """Set widgets, by key, to a run's values when the user switches to that run."""
    for key, value in values.items():
        owner = f"{key} of"
        if st.session_state.get(owner, run.name) != run.name:
            st.session_state[key] = value
        st.session_state[owner] = run.name


def require_stage(stage: str, what: str) -> Run:
    """The selected run, if it has this stage; otherwise shows what to do, with a button, and ends the page.

    `what` starts the message: "Comparing needs a trained network."
    """
    run = selected_run()
    if run is not None and run.state(stage).state != "missing":
        return run
    jobs.show_start_error()
    if run is None or not jobs.show_job(run):
        if run is None or run.state("train").state == run.state("export").state == "missing":
            st.info(_("{what} One button runs everything, in about a minute.", what=what))
            pipeline_button()
            st.page_link("pages/train.py", label=_("Or train one with your own settings"), icon=":material/tune:")
            st.page_link("pages/home.py", label=_("Or import your own network as ONNX"), icon=":material/upload_file:")
        else:
            st.info(_("The run {run} has no {stage} yet.", run=name_in_markdown(run), stage=name_of(stage)))
            refresh_button(run, _("Run the missing stages"))
    return st.stop()


def warn_if_imported(what: str) -> bool:
    """Show a message if the selected run is an imported model; returns whether it is.

    `what` says what the page is for: "Training is for a network that reads digits."
    """
    run = selected_run()
    if run is None or not run.is_model:
        return False
    st.info(
        _(
            "The run **{run}** is an imported model. {what} Choose another run in the sidebar, or create one with one "
            "button on Home.",
            run=name_in_markdown(run),
            what=what,
        ),
        icon=":material/draw:",
    )
    with st.container(horizontal=True):
        st.page_link("pages/home.py", label=page_title("home"), icon=":material/home:")
        st.page_link("pages/export.py", label=_("Look at this model"), icon=":material/account_tree:")
        st.page_link("pages/convert.py", label=_("Convert it"), icon=":material/transform:")
    return True


def download_button(run: Run, name: str, label: str, file_name: str, **options: Any) -> None:
    """A download button for a file in the run, read on click; or the reason why it cannot be downloaded.

    This checks the file before the click too, because Streamlit would only say "Failed to generate file".
    """
    try:
        run.file(name)
    except RunError as error:
        jobs.show_error(error)
        return
    st.download_button(label, lambda: run.file(name).read_bytes(), file_name, **options)


def pipeline_button(*, disabled: bool = False, type: Literal["primary", "secondary"] = "primary") -> None:
    """A button that runs everything in a new run: the preset `sample` on generated digits."""
    jobs.start_button(
        _("Run the pipeline"),
        lambda: new_run(runs_root(), f"{SAMPLE_PRESET}-strokes"),
        ["pipeline", "--preset", SAMPLE_PRESET, "--data", "strokes"],
        type=type,
        icon=":material/play_arrow:",
        disabled=disabled,
        help=_("Trains on generated handwriting, exports, converts and compares, in a new run"),
    )


def refresh_button(run: Run, label: str) -> None:
    """A button that runs the stages of a run that are missing or out of date."""
    jobs.start_button(
        label,
        lambda: run,
        ["refresh"],
        type="primary",
        icon=":material/refresh:",
        help=_("Runs every stage that is missing or out of date, in order, with its previous settings"),
    )


def warn_if_stale(run: Run, stage: str) -> bool:
    """Warn if a stage is out of date, with a button that updates it; returns whether it is."""
    state = run.state(stage)
    if state.state != "stale":
        return False
    stale = [name_of(name) for name in STAGES if run.state(name).state == "stale"]
    st.warning(
        _(
            "This is out of date: {reason}. Stages to run again: {stages}.",
            reason=state.reason,
            stages=list_words(stale),
        ),
        icon=":material/warning:",
    )
    refresh_button(run, _("Bring up to date"))
    return True
