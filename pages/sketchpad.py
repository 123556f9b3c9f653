"""Sketchpad: draw a digit that every runtime of the run reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import streamlit as st
from numpy.typing import NDArray

from convnet_core.data import drawing_pictures
from convnet_core.data.drawing import Steps, steps
from convnet_core.data.picture import Gray
from convnet_core.errors import DataError
from convnet_core.runs.run import Run
from convnet_core.runs.stage_folders import CONVERT_STAGES
from convnet_core.runtimes.pool import Answer, Difference, RuntimePool, by_label, fingerprint, largest_difference
from pages.charts import style as charts
from pages.components import drawing_pad as pad
from pages.components import frame
from pages.components import job_area as jobs
from pages.components import run_state as shared
from pages.components.kept_drawings import save_form, show_saved

_PICTURE = 140  # width of the pictures beside the pad, in pixels
_POLL_SECONDS = 0.5


def main() -> None:
    """The page, from top to bottom."""
    st.title("Sketchpad")
    st.write("Draw a digit with the mouse or a finger. Every runtime reads it after each stroke.")
    if shared.warn_if_imported("The sketchpad needs"):
        return
    run = shared.require_stage("export", "Drawing")
    with st.container():  # always one element: if the pad moved, it would be a new, empty one
        show_run_state(run)
    pool = open_pool(run.path, fingerprint(run))
    polling = pool.loading
    st.fragment(sketch, run_every=_POLL_SECONDS if polling else None)(run, polling)
    show_saved(run, pool)


@st.cache_resource(show_spinner=False, max_entries=3, on_release=RuntimePool.close)
def open_pool(path: Path, artifacts: str) -> RuntimePool:
    """The runtimes of a run, shared by all sessions; opened again when an artifact changes."""
    return RuntimePool(Run(path))


def show_loading(pool: RuntimePool) -> None:
    """Show which runtimes are ready."""
    if pool.fault:
        jobs.show_error(pool.fault)
    for name, reason in pool.failed.items():
        st.warning(f"{name} does not answer: {reason}")
    if pool.loading:
        ready, pending = (", ".join(names) or "none yet" for names in (pool.ready, pool.pending))
        st.caption(f":material/progress_activity: Runtimes ready: {ready}. Loading: {pending}.")
    elif pool.ready:
        st.caption(f":material/check_circle: {len(pool.ready)} runtimes are ready.")


def prepare_drawing(drawing: Gray | None) -> Steps | None:
    """The steps from the drawing to the image; None, with the reason shown, if it is not one digit."""
    if drawing is None or np.ptp(drawing) == 0:
        st.info("Draw something: one digit, from 0 to 9.", icon=":material/draw:")
        return None
    try:
        return steps(drawing)
    except DataError as error:
        st.info(f"{error}  \n{error.hint}", icon=":material/draw:")
        return None


def show_verdict(answers: dict[str, Answer], pool: RuntimePool) -> int | None:
    """Show what each runtime reads and whether all agree; returns the digit that most of them read."""
    if not answers:
        if pool.loading:
            st.info("The first runtime will read the drawing as soon as it is ready.")
        return None
    labels = {name: int(answer.labels[0]) for name, answer in answers.items()}
    groups = by_label(labels)
    first = next(iter(groups))
    if len(groups) > 1:
        text = "; ".join(f"{', '.join(names)}: {label}" for label, names in groups.items())
        st.warning(f"The runtimes differ. {text}", icon=":material/difference:")
    elif pool.loading:
        st.info(f"{len(answers)} of {len(pool.names)} runtimes are ready and read {first}")
    elif pool.failed:
        st.info(f"The {len(answers)} working runtimes read {first}")
    else:
        st.success(f"All runtimes read {first}", icon=":material/verified:")
    badges = (f":{'green' if label == first else 'orange'}-badge[{name}: {label}]" for name, label in labels.items())
    st.markdown(" ".join(badges))
    return first


def probabilities(answers: dict[str, Answer], names: tuple[str, ...]) -> None:
    """Show the probability of each digit, and the largest differences between runtimes."""
    if answers:
        st.plotly_chart(bars(answers, names), width="stretch", key="probabilities")
        show_differences(answers)


def show_differences(answers: dict[str, Answer]) -> None:
    """Show the largest differences between the runtimes."""
    probability = largest_difference({name: answer.probabilities for name, answer in answers.items()})
    logit = largest_difference({name: answer.logits for name, answer in answers.items()})
    if probability and logit:
        st.markdown(
            f"Largest difference in probability: **{100 * probability.value:.2g} points**, {_between(probability)}  \n"
            f"Largest |Δlogit|: **{logit.value:.1e}**, {_between(logit)}"
        )


def _between(difference: Difference) -> str:
    return f"digit {difference.label}, between {difference.higher} and {difference.lower}"


def show_steps(drawing: Gray, prepared: Steps) -> None:
    """Show the steps from the drawing to the network's input."""
    with st.container(horizontal=True):
        for picture, caption in (
            (drawing_pictures.show_box(drawing, prepared.source_box, _PICTURE), "Ink bounding box"),
            (drawing_pictures.show_centering(prepared, _PICTURE), "Evened, centered"),
            (drawing_pictures.enlarge(prepared.image, _PICTURE), "Network input"),
        ):
            st.image(picture, caption, width=_PICTURE)


def bars(answers: dict[str, Answer], names: tuple[str, ...]) -> go.Figure:
    """A chart of each digit's probability, with a bar for each runtime."""
    figure = go.Figure()
    for name in names:
        if name in answers:
            shares = 100 * answers[name].probabilities[0]
            figure.add_bar(
                x=list(range(len(shares))),
                y=shares,
                name=name,
                marker=charts.bar_of(name),
                hovertemplate="%{fullData.name}: %{y:.2f} %<extra></extra>",
            )
    figure.update_xaxes(dtick=1)
    figure.update_yaxes(range=[0, 100])
    charts.style_figure(figure, "digit", "probability, %", height=300, hovermode="x unified")
    return figure.update_layout(legend={"y": 1.02, "yanchor": "bottom"})


def show_feature_maps(maps: NDArray[np.float32] | None) -> None:
    """Show the first layer's feature maps; None while PyTorch loads."""
    if maps is not None:
        st.subheader("Output of the first layer")
        _, channels, height, width = maps.shape
        st.caption(f"The {channels} feature maps of {height} × {width} after layer1 in PyTorch; brighter is stronger.")
        st.image(drawing_pictures.feature_grid(maps[0]))


def sketch(run: Run, polling: bool) -> None:
    """The pad and its results; reruns separately after each stroke and while runtimes load."""
    pool = open_pool(run.path, fingerprint(run))
    beside, below = st.container(horizontal=True, gap="large"), st.container()
    drawing = None
    with beside.container(width=pad.SIDE + 10):
        try:
            drawing = pad.draw()
        except DataError as error:
            jobs.show_error(error)
    with beside.container(width="stretch"):
        show_loading(pool)
        prepared = prepare_drawing(drawing)
        if drawing is not None and prepared is not None:
            answers = pool.read(prepared.image[None, None])
            guess = show_verdict(answers, pool)
            show_steps(drawing, prepared)
            save_form(run, drawing, guess)
            with below:
                probabilities(answers, pool.names)
                show_feature_maps(pool.features(prepared.image[None, None]))
    if pool.loading != polling:  # at the end: a pad that was not drawn would be replaced by a new, empty one
        st.rerun()


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
