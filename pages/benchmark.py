"""Benchmark: the speed, memory and size of every runtime."""

from __future__ import annotations

import json
from datetime import datetime

import streamlit as st

from convnet_core.benchmark.results import (
    STAGE,
    Benchmark,
    expected_seconds,
    headline,
    load,
    machine,
    rows,
    where_and_how,
)
from convnet_core.common.formatting import capitalized, format_moment, format_number
from convnet_core.config.flags import arguments
from convnet_core.config.stages import BenchmarkConfig
from convnet_core.errors import ConvNetError
from convnet_core.language import N_, _
from convnet_core.runs.run import Run
from convnet_core.runs.stage_record import StageState
from pages.charts import speed as charts
from pages.components import frame
from pages.components import job_area as jobs
from pages.components import run_state as shared
from pages.components.names import page_title

_DEFAULT = BenchmarkConfig()
_HEADINGS = {
    "runtime": (N_("runtime"), ""),
    "median ms": (N_("median ms"), N_("Half of the calls at the smallest batch were faster")),
    "p95 ms": (N_("p95 ms"), N_("19 of 20 calls at the smallest batch were faster")),
    "samples/s": (N_("samples/s"), N_("Throughput at the best batch size: a batch in its median time")),
    "at batch": (N_("at batch"), ""),
    "import s": (
        N_("import s"),
        N_("To import the library; slower the first time after a reboot, when it is read from disk"),
    ),
    "load s": (N_("load s"), N_("To load the model")),
    "answer s": (N_("answer s"), N_("To compute the first answer, at the smallest batch")),
    "RAM MB": (N_("RAM MB"), N_("Resident memory that the library and the model add to a Python process")),
    "peak MB": (N_("peak MB"), N_("Peak of that memory, with the inputs and answers of the largest batch")),
    "size kB": (N_("size kB"), N_("Size of the runtime's files")),
}


def main() -> None:
    """The page, from top to bottom."""
    st.title(page_title("benchmark"))
    st.write(
        _(
            "How fast every runtime loads and answers on this machine, and how much memory and disk space it uses. "
            "Each runtime is measured in a fresh process."
        )
    )
    run = shared.require_stage("export", _("Measuring needs a trained network."))
    jobs.show_start_error()
    if jobs.show_job(run, "benchmark"):
        return
    state = run.state(STAGE)
    answer = st.container()
    folded = st.expander(_("Settings"), icon=":material/tune:", key="settings")
    with folded:
        config = settings()
    if state.state == "missing":
        with answer:
            st.info(_("Not made yet: no runtime of this run has been measured."), icon=":material/timer:")
            measure_button(run, _("Measure"), config)
        return
    with answer:
        if state.state == "stale":
            st.warning(_("Out of date: {reason}. Measure again.", reason=state.reason), icon=":material/warning:")
            if run.stale_stages("compare"):
                shared.refresh_button(run, _("Bring the run up to date first"))
            measure_button(run, _("Measure again"), config)
        try:
            show(run, load(run), state)
        except ConvNetError as error:
            jobs.show_error(error)
    if state.state == "fresh":
        with folded:
            measure_button(run, _("Measure again"), config)


def settings() -> BenchmarkConfig:
    """Widgets for the settings of a benchmark."""
    sizes = st.pills(
        _("Batch sizes"),
        (1, 2, 8, 32, 64, 128, 512, 1024),
        selection_mode="multi",
        default=_DEFAULT.batch_sizes,
        key="benchmark-batches",
        bind="query-params",
        help=_("Throughput is measured at each size, latency always at 1. More sizes take longer"),
    )
    left, right = st.columns(2)
    seconds = left.select_slider(
        _("Seconds per batch size"),
        (0.1, 0.2, 0.5, 1.0, 2.0, 5.0),
        _DEFAULT.seconds,
        key="benchmark-seconds",
        bind="query-params",
        help=_("Longer measurements give more stable figures, from more calls"),
    )
    threads = right.number_input(
        _("Threads"),
        1,
        max(2, machine().cores),
        _DEFAULT.threads,
        key="benchmark-threads",
        bind="query-params",
        help=_(
            "More threads help large batches and large networks, but often slow down small networks. TensorFlow's "
            "SavedModel always uses one"
        ),
    )
    return BenchmarkConfig(batch_sizes=tuple(sorted(sizes)) or (1,), seconds=seconds, threads=threads)


def measure_button(run: Run, label: str, config: BenchmarkConfig) -> None:
    """A button that starts the benchmark, and the expected time."""
    jobs.start_button(
        label,
        lambda: run,
        ["benchmark", *arguments(config, _DEFAULT)],
        type="primary" if run.state(STAGE).state != "fresh" else "secondary",
        icon=":material/timer:",
        help=_("Measures the runtimes one after another and saves the results in this run"),
    )
    seconds = format_number(expected_seconds(config))
    st.caption(_("Takes about {seconds} s. Other work on this machine distorts the figures.", seconds=seconds))


def table(benchmark: Benchmark) -> None:
    """Show a table of all figures; the headings have tooltips."""
    columns = {
        name: st.column_config.NumberColumn(
            _(label), format="localized" if name == "samples/s" else "%.3g", help=help_text and _(help_text)
        )
        for name, (label, help_text) in _HEADINGS.items()
        if name not in ("runtime", "at batch")
    }
    for name in ("runtime", "at batch"):
        columns[name] = st.column_config.Column(_(_HEADINGS[name][0]))
    st.dataframe(rows(benchmark), hide_index=True, width="stretch", column_config=columns)


def show(run: Run, benchmark: Benchmark, state: StageState) -> None:
    """Show the results of a benchmark. What is out of date is not shown as an answer."""
    text = headline(benchmark)
    box = st.success if state.state == "fresh" else st.info
    box(_("{sentence}.", sentence=capitalized(text)), icon=":material/speed:")
    when = datetime.fromisoformat(benchmark.created).astimezone()
    st.caption(_("Measured {when} on {machine}.", when=format_moment(when), machine=where_and_how(benchmark)))
    for speed in benchmark.runtimes:
        if speed.faults:
            st.warning(_("{runtime}: {fault}", runtime=speed.name, fault=speed.faults), icon=":material/error:")
    charts.show_charts(benchmark.runtimes)
    st.caption(
        _(
            "Latency is one call at the smallest batch: what a user waits for. Larger batches answer more samples a "
            "second, until the cores are busy. Only the first answer pays for loading the library and the model."
        )
    )
    st.header(_("All figures"))
    table(benchmark)
    st.download_button(
        _("Download as JSON"),
        json.dumps(benchmark.to_json(), indent=1, ensure_ascii=False),
        f"{run.name}-benchmark.json",
        "application/json",
        icon=":material/download:",
        help=_("All figures, the settings, the machine and the library versions"),
    )


frame.show(main)
