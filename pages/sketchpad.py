"""Sketchpad: draw a digit, and every runtime of the run reads it."""

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
from pages.components.kept_drawings import keeping, kept

_PICTURE = 140  # of the pictures beside it
_POLL_SECONDS = 0.5


def main() -> None:
    """The page, from top to bottom."""
    st.title("Sketchpad")
    st.write("Draw a digit with the mouse or a finger: every runtime reads it after each stroke.")
    if shared.digits_only("The sketchpad needs"):
        return
    run = shared.need("export", "Drawing")
    with st.container():  # one element, whatever is in it: a pad that moved would be a new one, and empty
        state_of(run)
    reader = reader_of(run.path, fingerprint(run))
    polling = reader.loading
    st.fragment(sketch, run_every=_POLL_SECONDS if polling else None)(run, polling)
    kept(run, reader)


@st.cache_resource(show_spinner=False, max_entries=3, on_release=RuntimePool.close)
def reader_of(path: Path, artefacts: str) -> RuntimePool:
    """The runtimes of a run, for all sessions; opened anew when an artefact changes."""
    return RuntimePool(Run(path))


def warming(reader: RuntimePool) -> None:
    """Which runtimes are ready."""
    if reader.fault:
        jobs.explain(reader.fault)
    for name, reason in reader.failed.items():
        st.warning(f"{name} does not answer: {reason}")
    if reader.loading:
        ready, pending = (", ".join(names) or "none yet" for names in (reader.ready, reader.pending))
        st.caption(f":material/progress_activity: Runtimes ready: {ready}. Loading: {pending}.")
    elif reader.ready:
        st.caption(f":material/check_circle: {len(reader.ready)} runtimes are ready.")


def inked(drawing: Gray | None) -> Steps | None:
    """How the drawing becomes an image; None, with the reason shown, where it is not one digit."""
    if drawing is None or np.ptp(drawing) == 0:
        st.info("Draw something: one digit, from 0 to 9.", icon=":material/draw:")
        return None
    try:
        return steps(drawing)
    except DataError as error:
        st.info(f"{error}  \n{error.hint}", icon=":material/draw:")
        return None


def verdict(answers: dict[str, Answer], reader: RuntimePool) -> int | None:
    """What each runtime reads, and whether all agree. Gives the digit that most of them read."""
    if not answers:
        if reader.loading:
            st.info("The drawing is read as soon as the first runtime is ready.")
        return None
    labels = {name: int(answer.labels[0]) for name, answer in answers.items()}
    groups = by_label(labels)
    first = next(iter(groups))
    if len(groups) > 1:
        said = "; ".join(f"{', '.join(names)}: {label}" for label, names in groups.items())
        st.warning(f"The runtimes differ. {said}", icon=":material/difference:")
    elif reader.loading:
        st.info(f"{len(answers)} of {len(reader.names)} runtimes are ready and read {first}")
    elif reader.failed:
        st.info(f"The {len(answers)} runtimes that answer read {first}")
    else:
        st.success(f"All runtimes read {first}", icon=":material/verified:")
    badges = (f":{'green' if label == first else 'orange'}-badge[{name}: {label}]" for name, label in labels.items())
    st.markdown(" ".join(badges))
    return first


def probabilities(answers: dict[str, Answer], names: tuple[str, ...]) -> None:
    """The probability of each digit, and how far the runtimes are from each other."""
    if answers:
        st.plotly_chart(bars(answers, names), width="stretch", key="probabilities")
        apart(answers)


def apart(answers: dict[str, Answer]) -> None:
    """How far the runtimes are from each other."""
    probability = largest_difference({name: answer.probabilities for name, answer in answers.items()})
    logit = largest_difference({name: answer.logits for name, answer in answers.items()})
    if probability and logit:
        st.markdown(
            f"Largest difference in probability: **{100 * probability.value:.2g} points**, {_between(probability)}  \n"
            f"Largest |Δlogit|: **{logit.value:.1e}**, {_between(logit)}"
        )


def _between(difference: Difference) -> str:
    return f"digit {difference.label}, between {difference.higher} and {difference.lower}"


def way(drawing: Gray, made: Steps) -> None:
    """From the pad to what the networks see."""
    with st.container(horizontal=True):
        for picture, caption in (
            (drawing_pictures.show_box(drawing, made.source_box, _PICTURE), "The ink's box"),
            (drawing_pictures.show_centering(made, _PICTURE), "Evened, centred"),
            (drawing_pictures.enlarge(made.image, _PICTURE), "What is read"),
        ):
            st.image(picture, caption, width=_PICTURE)


def bars(answers: dict[str, Answer], names: tuple[str, ...]) -> go.Figure:
    """The probability of each digit, a bar for each runtime."""
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
    charts.styled(figure, "digit", "probability, %", height=300, hovermode="x unified")
    return figure.update_layout(legend={"y": 1.02, "yanchor": "bottom"})


def features(maps: NDArray[np.float32] | None) -> None:
    """What the network's first layer sees; None while PyTorch loads."""
    if maps is not None:
        st.subheader("What the first layer sees")
        _, channels, height, width = maps.shape
        st.caption(f"The {channels} feature maps of {height} × {width} after layer1 in PyTorch; brighter is stronger.")
        st.image(drawing_pictures.feature_grid(maps[0]))


def sketch(run: Run, polling: bool) -> None:
    """The pad and all that follows from it; run again alone at each stroke, and while runtimes load."""
    reader = reader_of(run.path, fingerprint(run))
    beside, below = st.container(horizontal=True, gap="large"), st.container()
    drawing = None
    with beside.container(width=pad.SIDE + 10):
        try:
            drawing = pad.draw()
        except DataError as error:
            jobs.explain(error)
    with beside.container(width="stretch"):
        warming(reader)
        made = inked(drawing)
        if drawing is not None and made is not None:
            answers = reader.read(made.image[None, None])
            guess = verdict(answers, reader)
            way(drawing, made)
            keeping(run, drawing, guess)
            with below:
                probabilities(answers, reader.names)
                features(reader.features(made.image[None, None]))
    if reader.loading != polling:  # not earlier: a pad that was not drawn would be a new one, and empty
        st.rerun()


def state_of(run: Run) -> None:
    """The job at work, or what is missing or stale."""
    jobs.refusal()
    if jobs.area(run, "convert", "compare"):
        return
    if all(run.state(stage).state == "missing" for stage in CONVERT_STAGES):
        st.info("TensorFlow and LiteRT do not read yet: the run has not been converted.")
        shared.refresh_button(run, "Make what is missing")
        return
    for stage in ("export", *CONVERT_STAGES):
        if shared.warn_of_stale(run, stage):  # names all that is stale
            return


frame.show(main)
