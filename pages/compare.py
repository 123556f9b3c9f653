"""Compare: the verdict, and what it rests on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from convnet_core import measurements, report
from convnet_core.compare import Measured
from convnet_core.config import CompareConfig, DataConfig, TrainConfig
from convnet_core.files import digest, read_json
from convnet_core.judging import Comparison, judge
from convnet_core.runs import Run
from pages import _charts as charts
from pages import _jobs as jobs
from pages import _shared as shared

shared.through_the_app()
st.title("Compare")
st.write(
    "Every runtime answered the same inputs. Here is whether they agree, how far apart they are, and where they differ."
)


@st.cache_data(show_spinner="reading the measurements", max_entries=4)
def measured(path: Path, sha256: str) -> list[Measured]:
    """The measurements of a run; read again when the file's digest changes."""
    return measurements.load(path)


def tolerances(config: CompareConfig) -> CompareConfig:
    """Sliders that start where the comparison was made."""
    left, middle, right = st.columns(3)
    powers = [10.0**power for power in range(-9, 0)]
    rtol = left.select_slider(
        "rtol",
        powers,
        config.rtol if config.rtol in powers else 1e-4,
        format_func=lambda value: f"{value:.0e}",
        help="float32: share of the sample's largest output that an error may reach. Lower it and runtimes fail",
    )
    atol = middle.select_slider(
        "atol",
        powers,
        config.atol if config.atol in powers else 1e-5,
        format_func=lambda value: f"{value:.0e}",
        help="float32: error that is always allowed",
    )
    least = right.slider(
        "int8: equal labels, %",
        90.0,
        100.0,
        100 * config.int8_agreement,
        0.1,
        help="Least share of test images on which int8 must give the reference's label",
    )
    return config.replace(rtol=rtol, atol=atol, int8_agreement=least / 100)


def histograms(comparison: Comparison) -> go.Figure:
    """The largest error of each image, by decade, a line for each runtime."""
    figure = go.Figure()
    for name, _, bars in report.histograms(comparison):
        if any(bar.count for bar in bars):
            figure.add_bar(x=[f"1e{bar.low}" for bar in bars], y=[bar.count for bar in bars], name=name)
    figure.update_xaxes(type="category")
    return charts.styled(figure, "largest |error| of an image, at least", "test images", height=420)


def confusion(item: Measured, reference: str) -> go.Figure:
    """How often the reference said one label and the runtime another."""
    classes = int(max(item.answers.max(), item.expected.max())) + 1
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (item.expected, item.answers), 1)
    return charts.confusion(counts, f"{item.key.runtime} says", f"{reference} says", hide_diagonal=True)


def differing(comparison: Comparison, run: Run) -> None:
    """The test images on which any runtime's label is not the reference's."""
    record = run.record("train")
    config = TrainConfig.from_json(record.config).data if record else DataConfig()
    pictures, count = report.pictures_of(comparison, shared.digits(config).test.images)
    st.subheader("Images on which the labels differ")
    if not count:
        st.write("None: every runtime gives every test image the same label.")
        return
    st.caption(f"{count} of the test images, the first {len(pictures)} shown.")
    for start in range(0, len(pictures), 6):
        for column, picture in zip(st.columns(6), pictures[start : start + 6], strict=False):
            expected = picture.answers[comparison.reference]
            others = [f"{name}: **{label}**" for name, label in picture.answers.items() if label != expected]
            column.image(f"data:image/png;base64,{picture.png}", width=96)
            column.markdown(f"it is {picture.truth}; {comparison.reference}: {expected}; {'; '.join(others)}")


run = shared.need("compare", "Comparing")
if jobs.area(run, "compare", "refresh"):
    st.stop()
stale = shared.warn_of_stale(run, "compare")
folder = run.path / "compare"
made = read_json(folder / "report.json")
config = tolerances(CompareConfig.from_json(run.need("compare").config))
sizes = {(line["name"], line["converter"]): line["bytes"] for line in made["runtimes"]}
path = folder / "measurements.npz"
comparison = judge(measured(path, digest(path)), sizes, made["reference"], config)
shared.runtimes(report.to_json(comparison, made["title"], {}), stale=stale)

st.subheader("How large the errors are")
st.plotly_chart(histograms(comparison), width="stretch")

labelled = {item.key.runtime: item for item in report.per_sample(comparison) if item.answers is not None}
if labelled:
    st.subheader("Where labels go")
    name = st.selectbox("Runtime", list(labelled)[::-1], help="Off the diagonal: images that got another label")
    st.plotly_chart(confusion(labelled[name], comparison.reference), width="stretch")
    differing(comparison, run)
st.download_button(
    "Download the report",
    (folder / "report.html").read_bytes(),
    f"{run.name}.html",
    "text/html",
    help="As the comparison was made, with its own tolerances",
)
