"""Compare: the verdict, and what it rests on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from convnet_core.common.files import digest
from convnet_core.common.formatting import format_error
from convnet_core.compare import measurements_file, report, report_file
from convnet_core.compare.differences import Measurement
from convnet_core.compare.judge import Comparison, judge
from convnet_core.compare.report_file import Report
from convnet_core.config.arguments import arguments
from convnet_core.config.stages import CompareConfig
from convnet_core.errors import ConvNetError, RunError
from convnet_core.runs.provenance import data_of, inputs_of
from convnet_core.runs.run import Run
from pages.charts import style as charts
from pages.components import frame, report_table
from pages.components import job_area as jobs
from pages.components import run_state as shared
from pages.components.digits import digits
from pages.forms import model_inputs as inputs


def main() -> None:
    """The page, from top to bottom."""
    st.title("Compare")
    st.write(
        "Every runtime answered the same inputs. Here is whether they agree, how far apart they are, and where they "
        "differ."
    )
    run = shared.need("compare", "Comparing")
    jobs.refusal()
    if jobs.area(run, "compare"):
        return
    stale = shared.warn_of_stale(run, "compare")
    try:
        made = report_file.load(run)
        path = run.file("compare/measurements.npz")
        kept = measured(path, digest(path))
    except RunError as error:
        jobs.explain(error)
        return
    config = tolerances(run, CompareConfig.from_json(run.require("compare").config))
    if run.is_model:
        again(run, config)
    sizes = {(line.name, line.converter): line.bytes for line in made.runtimes}
    comparison = judge(kept, sizes, made.reference, config)
    report_table.runtimes(report.report_of(comparison, made.title, {}, not_made=made.not_made), stale=stale)

    st.subheader("How large the errors are")
    st.plotly_chart(histograms(comparison), width="stretch")

    if run.is_model:
        by_output(made)
    labelled = {item.key.runtime: item for item in report.per_sample(comparison) if item.answers is not None}
    if labelled:
        st.subheader("Where labels go")
        name = st.selectbox(
            "Runtime",
            list(labelled)[::-1],
            key="runtime",
            bind="query-params",
            help="Off the diagonal: images that got another label",
        )
        st.plotly_chart(confusion(labelled[name], comparison.reference), width="stretch")
        differing(comparison, run)
    shared.download(
        run,
        "compare/report.html",
        "Download the report",
        f"{run.name}.html",
        mime="text/html",
        help="As the comparison was made, with its own tolerances",
    )


@st.cache_resource(show_spinner="reading the measurements", max_entries=4)
def measured(path: Path, sha256: str) -> list[Measurement]:
    """The measurements of a run, the same for all sessions; read again when the file's digest changes."""
    return measurements_file.load(path)


def tolerances(run: Run, config: CompareConfig) -> CompareConfig:
    """Sliders that start where the comparison was made."""
    least = 100 * config.int8_agreement
    shared.begin_with(run, rtol=config.rtol, atol=config.atol, **{"int8-agreement": least})
    columns = st.columns(2 if run.is_model else 3)
    shown: dict[str, Any] = {"bind": "query-params", "format_func": "{:.0e}".format}
    rtol = columns[0].select_slider(
        "rtol",
        _steps(config.rtol),
        config.rtol,
        key="rtol",
        help="float32: share of the sample's largest output that an error may reach. Lower it and runtimes fail",
        **shown,
    )
    atol = columns[1].select_slider(
        "atol", _steps(config.atol), config.atol, key="atol", help="float32: error that is always allowed", **shown
    )
    if run.is_model:
        return config.replace(rtol=rtol, atol=atol)
    agreement = columns[2].slider(
        "int8: equal labels, %",
        min(90.0, least),
        100.0,
        least,
        0.1,
        key="int8-agreement",
        bind="query-params",
        help="Least share of test images on which int8 must give the reference's label",
    )
    return config.replace(rtol=rtol, atol=atol, int8_agreement=agreement / 100)


def _steps(own: float) -> list[float]:
    """Powers of ten, and the value that the comparison was made with."""
    return sorted({*(10.0**power for power in range(-9, 0)), own})


def histograms(comparison: Comparison) -> go.Figure:
    """The largest error of each image, by decade, a line for each runtime."""
    series = tuple(
        (name, tuple(f"1e{bar.low}" for bar in bars), tuple(bar.count for bar in bars))
        for name, _, bars in report.histograms(comparison)
        if any(bar.count for bar in bars)
    )
    title = "largest |error| of a sample, at least"
    return charts.bars(series, title, "samples", height=420, mark=charts.bar_of)


def again(run: Run, config: CompareConfig) -> None:
    """Other inputs for a model from elsewhere."""
    flags = inputs.arguments(run, inputs_of(run, "compare"))
    jobs.start_button(
        "Compare again",
        lambda: run,
        ["compare", *arguments(config, CompareConfig()), *flags],
        icon=":material/balance:",
        help="Feeds every runtime with the inputs above, and judges their answers anew",
    )


def by_output(made: Report) -> None:
    """The largest error of each output on each input set, for every runtime."""
    found: dict[tuple[str, str, str], float | None] = {}
    for line in made.results:
        key = line.runtime, line.output, line.inputs
        errors = [error for error in (found.get(key), line.max_abs_error) if error is not None]
        found[key] = max(errors, default=None)
    st.subheader("Every output")
    st.dataframe(
        [
            {"Runtime": runtime, "Output": output, "Inputs": fed, "Largest error": format_error(error)}
            for (runtime, output, fed), error in found.items()
        ],
        hide_index=True,
        width="stretch",
    )


def confusion(item: Measurement, reference: str) -> go.Figure:
    """How often the reference said one label and the runtime another."""
    assert item.answers is not None  # only labeled runtimes are offered
    assert item.expected is not None
    classes = int(max(item.answers.max(), item.expected.max())) + 1
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (item.expected, item.answers), 1)
    told = tuple(map(tuple, counts.tolist()))
    dark = st.context.theme.type == "dark"
    return charts.confusion(told, f"{item.key.runtime} says", f"{reference} says", hide_diagonal=True, dark=dark)


def differing(comparison: Comparison, run: Run) -> None:
    """The test images on which any runtime's label is not the reference's."""
    count = report.count_differing(comparison)
    st.subheader("Images on which the labels differ")
    if not count:
        st.write("None: every runtime gives every test image the same label.")
        return
    try:
        images = digits(data_of(run, "compare")).test.images
    except ConvNetError as error:
        jobs.explain(error)
        return
    pictures = report.differing_pictures(comparison, images)
    st.caption(f"{count} of the test images, the first {len(pictures)} shown.")
    for start in range(0, len(pictures), 6):
        for column, picture in zip(st.columns(6), pictures[start : start + 6], strict=False):
            expected = picture.answers[comparison.reference]
            others = [f"{name}: **{label}**" for name, label in picture.answers.items() if label != expected]
            column.image(f"data:image/png;base64,{picture.png}", width=96)
            column.markdown(f"it is {picture.truth}; {comparison.reference}: {expected}; {'; '.join(others)}")


frame.show(main)
