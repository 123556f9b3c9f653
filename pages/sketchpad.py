"""Sketchpad: draw a digit, or show one to the camera; every runtime of the run reads it."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import streamlit as st

from convnet_core.data.picture import Gray, from_bytes
from convnet_core.errors import DataError
from convnet_core.language import N_, _
from convnet_core.runs.run import Run
from convnet_core.runs.stage_folders import CONVERT_STAGES
from convnet_core.runtimes.pool import RuntimePool, fingerprint
from pages.components import address, drawing_pad, frame, reading
from pages.components import job_area as jobs
from pages.components import run_state as shared
from pages.components.kept_drawings import show_saved
from pages.components.live_pad import pad
from pages.components.names import page_title
from pages.components.reading_details import show_details

_DRAW, _FILE, _CAMERA = "draw", "file", "camera"
_SOURCES = {_DRAW: N_("Draw"), _FILE: N_("Image file"), _CAMERA: N_("Camera")}
_MOST_MB = 20
_SUFFIXES = ("png", "jpg", "jpeg", "webp", "bmp", "gif")


def main() -> None:
    """The page, from top to bottom."""
    st.title(page_title("sketchpad"))
    st.write(_("Draw a digit, or show one to the camera. Every runtime of the run reads it while you draw."))
    if shared.warn_if_imported(_("The sketchpad needs a network that reads digits.")):
        return
    run = shared.require_stage("export", _("Drawing needs a trained network."))
    with st.container():  # always one element: if the pad moved, it would be a new, empty one
        show_run_state(run)
    source = address.choose(
        st.segmented_control,
        _("What to read"),
        _SOURCES,
        key="source",
        default=_DRAW,
        required=True,
        label_visibility="collapsed",
    )
    if source == _FILE:
        show_picture(run, read_file)
    elif source == _CAMERA:
        show_picture(run, read_camera)
    else:
        show_pad(run)
    show_saved(run, reading.open_pool(run.path, fingerprint(run)))


def show_pad(run: Run) -> None:
    """Our pad, or the plain one; the switch stands below it."""
    place = st.container()
    plain = st.toggle(
        _("The pad does not react? Use the plain one"),
        key="plain",
        bind="query-params",
        help=_("It is another component, and answers after each stroke"),
    )
    with place:
        if plain:
            show_picture(run, drawing_pad.draw, width=drawing_pad.SIDE + 10)
        else:
            pad.show(run, then="details")
            reading.with_runtimes(run, lambda pool: show_all(run, pool), "details")


def show_picture(run: Run, get: Callable[[], Gray | None], width: int = 320) -> None:
    """A widget that returns a picture, and what the runtimes read on it."""

    def draw(pool: RuntimePool) -> None:
        beside, picture = st.container(horizontal=True, gap="large"), None
        with beside.container(width=width):
            try:
                picture = get()
            except DataError as error:
                jobs.show_error(error)
        reading.keep(reading.read(picture, pool))
        with beside.container(width="stretch"):
            pad.show_answer(reading.latest(), pool)
        show_all(run, pool)

    reading.with_runtimes(run, draw, "picture")


def read_file() -> Gray | None:
    """Let the user choose an image file. Raises DataError if it is none."""
    file = st.file_uploader(
        _("A picture of one digit"),
        _SUFFIXES,
        max_upload_size=_MOST_MB,
        help=_("A drawing or a photograph; it stays on this machine"),
    )
    return None if file is None else _show(_decode(file.file_id, file.name, file))


def read_camera() -> Gray | None:
    """Let the user take a photograph. Raises DataError if the browser sends none."""
    file = st.camera_input(_("A digit on plain paper, in the middle"), help=_("The picture stays on this machine"))
    return None if file is None else _decode(file.file_id, _("the photograph"), file)


@st.cache_resource(scope="session", show_spinner=False, max_entries=2)
def _decode(file_id: str, name: str, _file: BytesIO) -> Gray:
    """The picture in an uploaded file, whose id identifies its content. Raises DataError if there is none."""
    return from_bytes(_file.getvalue(), name)


def _show(picture: Gray) -> Gray:
    st.image(picture, width=240, alt=_("Your picture"))
    return picture


def show_all(run: Run, pool: RuntimePool) -> None:
    """What is behind the latest answer."""
    show_details(reading.latest(), run, pool)


def show_run_state(run: Run) -> None:
    """Show the running job, or what is missing or out of date."""
    jobs.show_start_error()
    if jobs.show_job(run, "convert", "compare"):
        return
    if all(run.state(stage).state == "missing" for stage in CONVERT_STAGES):
        st.info(_("TensorFlow and LiteRT are not available yet because the run has not been converted."))
        shared.refresh_button(run, _("Run the missing stages"))
        return
    for stage in ("export", *CONVERT_STAGES):
        if shared.warn_if_stale(run, stage):  # it lists all stages that are out of date
            return


frame.show(main)
