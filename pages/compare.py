"""Compare: the verdict and the measurements behind it."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from convnet_core.common.files import digest
from convnet_core.common.formatting import format_error, join_words
from convnet_core.compare import converters, measurements_file, report, report_file
from convnet_core.compare.differences import Measurement
from convnet_core.compare.judge import Comparison, judge
from convnet_core.compare.report_file import Report
from convnet_core.config.flags import arguments
from convnet_core.config.stages import CompareConfig
from convnet_core.errors import ConvNetError, RunError
from convnet_core.language import _, plural
from convnet_core.runs.provenance import data_of, inputs_of
from convnet_core.runs.run import Run
from pages.charts import comparison as charts_of_errors
from pages.charts import style as charts
from pages.components import frame, report_table
from pages.components import job_area as jobs
from pages.components import run_state as shared
from pages.components.digits import digits
from pages.components.names import page_title
from pages.components.picture_grid import Picture, show_pictures
from pages.forms import model_inputs as inputs


def main() -> None:
    """The page, from top to bottom."""
    st.title(page_title("compare"))
    st.write(
        _("Every runtime computed answers for the same inputs. See whether they agree, how far they differ, and where.")
    )
    run = shared.require_stage("compare", _("Comparing needs a trained network."))
    jobs.show_start_error()
    if jobs.show_job(run, "compare"):
        return
    stale = shared.warn_if_stale(run, "compare")
    try:
        content = report_file.load(run)
        path = run.file("compare/measurements.npz")
        with st.spinner(_("Reading the measurements")):
            measurements = load_measurements(path, digest(path))
    except RunError as error:
        jobs.show_error(error)
        return
    answer = st.container()
    with st.expander(_("Settings: tolerances, and another comparison"), icon=":material/tune:", key="settings"):
        config = settings(run)
    sizes = {(line.name, line.converter): line.bytes for line in content.runtimes}
    comparison = judge(measurements, sizes, content.reference, config)
    judged = report.report_of(comparison, content.title, {}, not_made=content.not_made)
    with answer:
        report_table.show_verdict(judged, others := converters.not_compared(run), stale=stale)
        offer_comparison(run, others)
        show_errors(comparison)
        report_table.show_table(judged)

    if run.is_model:
        show_outputs(content)
    labeled = {item.key.runtime: item for item in report.per_sample(comparison) if item.answers is not None}
    if labeled:
        st.header(_("Where labels go"))
        name = st.selectbox(
            _("Runtime"),
            list(labeled)[::-1],
            key="runtime",
            bind="query-params",
            help=_("Off the diagonal: images with different labels"),
        )
        alt = _("A matrix of labels: {runtime} against {reference}", runtime=name, reference=comparison.reference)
        st.plotly_chart(confusion(labeled[name], comparison.reference), width="stretch", alt=alt)
        show_differing(comparison, run)
    report_table.download_report(run)


@st.cache_resource(show_spinner=False, max_entries=4)
def load_measurements(path: Path, sha256: str) -> list[Measurement]:
    """The measurements of a run, cached for all sessions until the file's digest changes."""
    return measurements_file.load(path)


def settings(run: Run) -> CompareConfig:
    """Widgets for the tolerances, which judge again at once, and a button that measures again."""
    config = tolerances(run, CompareConfig.from_json(run.require("compare").config))
    st.caption(_("The tolerances judge the same measurements again, at once; nothing has to run."))
    flags = inputs.input_flags(run, inputs_of(run, "compare")) if run.is_model else []
    full = not run.is_model and st.toggle(
        _("The whole test set at every batch size"),
        config.full,
        key=f"full of {run.name}",
        help=_("Otherwise the largest batch size runs all of it and the others a sample, in a third of the time"),
    )
    start_button(run, config.replace(full=full), flags, _("Compare again"))
    return config


def start_button(run: Run, config: CompareConfig, flags: list[str], label: str) -> None:
    """A button that starts a comparison on the data of the previous one."""
    data = arguments(data_of(run, "compare"), data_of(run)) if not run.is_model else []
    jobs.start_button(
        label,
        lambda: run,
        ["compare", *arguments(config, CompareConfig()), *data, *flags],
        icon=":material/balance:",
        help=_("Runs every runtime on the same inputs and judges the answers again"),
    )


def offer_comparison(run: Run, others: list[str]) -> None:
    """A button that compares again, as before, with the conversions that the verdict does not cover."""
    if others:
        config = CompareConfig.from_json(run.require("compare").config)
        start_button(
            run,
            config,
            inputs_of(run, "compare").arguments(),
            _("Compare {converters} too", converters=join_words(others)),
        )


def show_errors(comparison: Comparison) -> None:
    """Show how large the errors are, and what is tolerated."""
    st.markdown("**" + _("The errors, and what is tolerated") + "**")
    alt = _("How many samples of each runtime have which error")
    st.plotly_chart(charts_of_errors.errors(comparison), width="stretch", config={"displayModeBar": False}, alt=alt)
    st.caption(
        _(
            "How many samples have which error, against {reference}. In the orange zone an error fails: float32 may "
            "differ by {atol:g} + {rtol:g} × the sample's largest output, so the limit moves with the sample, from "
            "the dashed line to the darker zone. float16 and int8 have no limit: they are judged by their labels.",
            reference=comparison.reference,
            atol=comparison.config.atol,
            rtol=comparison.config.rtol,
        )
    )


def tolerances(run: Run, config: CompareConfig) -> CompareConfig:
    """Sliders that start at the tolerances of the comparison."""
    least = 100 * config.int8_agreement
    shared.set_initial_values(run, rtol=config.rtol, atol=config.atol, **{"int8-agreement": least})
    columns = st.columns(2 if run.is_model else 3)
    shown: dict[str, Any] = {"bind": "query-params", "format_func": "{:.0e}".format}
    rtol = columns[0].select_slider(
        "rtol",
        _steps(config.rtol),
        config.rtol,
        key="rtol",
        help=_("float32: largest allowed error, as a fraction of the sample's largest output. Lower it: runtimes fail"),
        **shown,
    )
    atol = columns[1].select_slider(
        "atol",
        _steps(config.atol),
        config.atol,
        key="atol",
        help=_("float32: error that is always allowed"),
        **shown,
    )
    if run.is_model:
        return config.replace(rtol=rtol, atol=atol)
    agreement = columns[2].slider(
        _("int8: equal labels, %"),
        min(90.0, least),
        100.0,
        least,
        0.1,
        key="int8-agreement",
        bind="query-params",
        help=_("Minimum percentage of test images for which int8 must give the reference's label"),
    )
    return config.replace(rtol=rtol, atol=atol, int8_agreement=agreement / 100)


def _steps(initial: float) -> list[float]:
    """Powers of ten, and the value used in the comparison."""
    return sorted({*(10.0**power for power in range(-9, 0)), initial})


def show_outputs(content: Report) -> None:
    """Show the largest error of each output on each input set, for every runtime."""
    largest: dict[tuple[str, str, str], float | None] = {}
    for line in content.results:
        key = line.runtime, line.output, line.inputs
        errors = [error for error in (largest.get(key), line.max_abs_error) if error is not None]
        largest[key] = max(errors, default=None)
    st.header(_("Every output"))
    st.dataframe(
        [
            {
                _("Runtime"): runtime,
                _("Output"): output,
                _("Inputs"): inputs_name,
                _("Largest error"): format_error(error),
            }
            for (runtime, output, inputs_name), error in largest.items()
        ],
        hide_index=True,
        width="stretch",
    )


def confusion(item: Measurement, reference: str) -> go.Figure:
    """The confusion matrix of the runtime's labels against the reference's."""
    assert item.answers is not None  # only labeled runtimes are offered
    assert item.expected is not None
    classes = int(max(item.answers.max(), item.expected.max())) + 1
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (item.expected, item.answers), 1)
    rows = tuple(map(tuple, counts.tolist()))
    dark = st.context.theme.type == "dark"
    x, y = (_("{runtime} says", runtime=name) for name in (item.key.runtime, reference))
    return charts.confusion(rows, x, y, hide_diagonal=True, dark=dark)


def show_differing(comparison: Comparison, run: Run) -> None:
    """Show the test images for which a runtime's label differs from the reference's."""
    count = report.count_differing(comparison)
    st.header(_("Images with different labels"))
    if not count:
        st.write(_("None: every runtime gives every test image the same label."))
        return
    try:
        images = digits(data_of(run, "compare")).test.images
    except ConvNetError as error:
        jobs.show_error(error)
        return
    pictures = report.differing_pictures(comparison, images)
    st.caption(
        plural(
            "{count} test image; shown: {shown}.", "{count} test images; shown: {shown}.", count, shown=len(pictures)
        )
    )
    show_pictures(_with_answers(picture, comparison.reference) for picture in pictures)


def _with_answers(picture: report.Picture, reference: str) -> Picture:
    """A test image, its true digit, and what the reference and the runtimes that differ from it say."""
    expected = picture.answers[reference]
    different = {name: label for name, label in picture.answers.items() if label != expected}
    lines = [
        _("true digit {digit}", digit=picture.truth),
        f"{escape(reference)}: {expected}",
        *(f"{escape(name)}: <b>{label}</b>" for name, label in different.items()),
    ]
    return Picture(f"data:image/png;base64,{picture.png}", _("a {digit}", digit=picture.truth), "<br>".join(lines))


frame.show(main)
