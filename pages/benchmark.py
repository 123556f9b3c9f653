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
from convnet_core.config.flags import arguments
from convnet_core.config.stages import BenchmarkConfig
from convnet_core.errors import ConvNetError
from convnet_core.language import _
from convnet_core.runs.run import Run
from convnet_core.runs.stage_record import StageState
from pages.charts import speed as charts
from pages.components import frame
from pages.components import job_area as jobs
from pages.components import run_state as shared

_DEFAULT = BenchmarkConfig()
_HEADINGS = {
    "median ms": "Half of the calls at the smallest batch were faster",
    "p95 ms": "19 of 20 calls at the smallest batch were faster",
    "samples/s": "Throughput at the best batch size: a batch in its median time",
    "import s": "To import the library; slower the first time after a reboot, when it is read from disk",
    "load s": "To load the model",
    "answer s": "To compute the first answer, at the smallest batch",
    "RAM MB": "Resident memory that the library and the model add to a Python process",
    "peak MB": "Peak of that memory, with the inputs and answers of the largest batch",
    "size kB": "Size of the runtime's files",
}


def main() -> None:
    """The page, from top to bottom."""
    st.title("Benchmark")
    st.write(
        "How fast every runtime loads and answers on this machine, and how much memory and disk space it uses. Each "
        "runtime is measured in a fresh process."
    )
    run = shared.require_stage("export", _("Measuring needs a trained network."))
    jobs.show_start_error()
    if jobs.show_job(run, "benchmark"):
        return
    state = run.state(STAGE)
    answer = st.container()
    folded = st.expander("Settings", icon=":material/tune:", key="settings")
    with folded:
        config = settings()
    if state.state == "missing":
        with answer:
            st.info("Not made yet: no runtime of this run has been measured.", icon=":material/timer:")
            measure_button(run, "Measure", config)
        return
    with answer:
        if state.state == "stale":
            st.warning(f"Out of date: {state.reason}. Measure again.", icon=":material/warning:")
            if run.stale_stages("compare"):
                shared.refresh_button(run, "Bring the run up to date first")
            measure_button(run, "Measure again", config)
        try:
            show(run, load(run), state)
        except ConvNetError as error:
            jobs.show_error(error)
    if state.state == "fresh":
        with folded:
            measure_button(run, "Measure again", config)


def settings() -> BenchmarkConfig:
    """Widgets for the settings of a benchmark."""
    sizes = st.pills(
        "Batch sizes",
        (1, 2, 8, 32, 64, 128, 512, 1024),
        selection_mode="multi",
        default=_DEFAULT.batch_sizes,
        key="benchmark-batches",
        bind="query-params",
        help="Throughput is measured at each size, latency always at 1. More sizes take longer",
    )
    left, right = st.columns(2)
    seconds = left.select_slider(
        "Seconds per batch size",
        (0.1, 0.2, 0.5, 1.0, 2.0, 5.0),
        _DEFAULT.seconds,
        key="benchmark-seconds",
        bind="query-params",
        help="Longer measurements give more stable figures, from more calls",
    )
    threads = right.number_input(
        "Threads",
        1,
        max(2, machine().cores),
        _DEFAULT.threads,
        key="benchmark-threads",
        bind="query-params",
        help="More threads help large batches and large networks, but often slow down small networks. "
        "TensorFlow's SavedModel always uses one",
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
        help="Measures the runtimes one after another and saves the results in this run",
    )
    seconds = expected_seconds(config)
    st.caption(f"Takes about {seconds:.0f} s. Other work on this machine distorts the figures.")


def table(benchmark: Benchmark) -> None:
    """Show a table of all figures; the headings have tooltips."""
    columns = {
        name: st.column_config.NumberColumn(format="localized" if name == "samples/s" else "%.3g", help=help_text)
        for name, help_text in _HEADINGS.items()
    }
    st.dataframe(rows(benchmark), hide_index=True, width="stretch", column_config=columns)


def show(run: Run, benchmark: Benchmark, state: StageState) -> None:
    """Show the results of a benchmark. What is out of date is not shown as an answer."""
    text = headline(benchmark)
    box = st.success if state.state == "fresh" else st.info
    box(f"{text[0].upper()}{text[1:]}.", icon=":material/speed:")
    when = datetime.fromisoformat(benchmark.created).astimezone()
    st.caption(f"Measured {when:%Y-%m-%d %H:%M} on {where_and_how(benchmark)}.")
    for speed in benchmark.runtimes:
        if speed.faults:
            st.warning(f"{speed.name}: {speed.faults}", icon=":material/error:")
    charts.show_charts(benchmark.runtimes)
    st.caption(
        "Latency is one call at the smallest batch: what a user waits for. Larger batches answer more samples a "
        "second, until the cores are busy. Only the first answer pays for loading the library and the model."
    )
    st.subheader("All figures")
    table(benchmark)
    st.download_button(
        "Download as JSON",
        json.dumps(benchmark.to_json(), indent=1, ensure_ascii=False),
        f"{run.name}-benchmark.json",
        "application/json",
        icon=":material/download:",
        help="All figures, the settings, the machine and the library versions",
    )


frame.show(main)
