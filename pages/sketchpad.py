"""Sketchpad: draw a digit that every runtime of the run reads while the pen moves."""

from __future__ import annotations

import streamlit as st

from convnet_core.errors import DataError
from convnet_core.runs.run import Run
from convnet_core.runs.stage_folders import CONVERT_STAGES
from convnet_core.runtimes.pool import RuntimePool, fingerprint
from pages.components import drawing_pad, frame, reading
from pages.components import job_area as jobs
from pages.components import run_state as shared
from pages.components.kept_drawings import show_saved
from pages.components.live_pad import pad
from pages.components.reading_details import show_details


def main() -> None:
    """The page, from top to bottom."""
    st.title("Sketchpad")
    st.write("Draw a digit with the mouse or a finger. Every runtime of the run reads it while you draw.")
    if shared.warn_if_imported("The sketchpad needs"):
        return
    run = shared.require_stage("export", "Drawing")
    with st.container():  # always one element: if the pad moved, it would be a new, empty one
        show_run_state(run)
    place = st.container()
    plain = st.toggle(
        "The pad does not react? Use the plain one",
        key="plain",
        bind="query-params",
        help="It is another component, and answers after each stroke",
    )
    with place:
        if plain:
            reading.with_runtimes(run, lambda pool: show_plain_pad(run, pool), "plain pad")
        else:
            pad.show(run, then="details")
            reading.with_runtimes(run, lambda pool: show_all(run, pool), "details")
    show_saved(run, reading.open_pool(run.path, fingerprint(run)))


def show_plain_pad(run: Run, pool: RuntimePool) -> None:
    """The pad of streamlit-drawable-canvas, which answers after each stroke."""
    beside = st.container(horizontal=True, gap="large")
    drawing = None
    with beside.container(width=drawing_pad.SIDE + 10):
        try:
            drawing = drawing_pad.draw()
        except DataError as error:
            jobs.show_error(error)
    reading.keep(reading.read(drawing, pool))
    with beside.container(width="stretch"):
        pad.show_answer(reading.latest(), pool)
    show_all(run, pool)


def show_all(run: Run, pool: RuntimePool) -> None:
    """What is behind the latest answer, and which runtimes do not work."""
    if pool.fault:
        jobs.show_error(pool.fault)
    for name, reason in pool.failed.items():
        st.warning(f"{name} does not answer: {reason}")
    show_details(reading.latest(), run, pool)


def show_run_state(run: Run) -> None:
    """Show the running job, or what is missing or out of date."""
    jobs.show_start_error()
    if jobs.show_job(run, "convert", "compare"):
        return
    if all(run.state(stage).state == "missing" for stage in CONVERT_STAGES):
        st.info("TensorFlow and LiteRT are not available yet because the run has not been converted.")
        shared.refresh_button(run, "Run the missing stages")
        return
    for stage in ("export", *CONVERT_STAGES):
        if shared.warn_if_stale(run, stage):  # it lists all stages that are out of date
            return


frame.show(main)
