"""Dissect: the ops of every node, each runtime's error there, and where errors start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from convnet_core.common.files import digest
from convnet_core.config.fields import describe
from convnet_core.config.flags import arguments
from convnet_core.config.stages import DissectConfig
from convnet_core.dissect.report import content, documents, tables
from convnet_core.dissect.report.report_file import DissectionReport
from convnet_core.errors import RunError, one_line
from convnet_core.runs.run import Run
from pages.charts import dissection as figures
from pages.components import dissected_answers as answers
from pages.components import dissected_node as one_node
from pages.components import frame
from pages.components import job_area as jobs
from pages.components import run_state as shared

_FAULTS = {"none": "none: the run unchanged", **content.FAULTS}


def main() -> None:
    """The page, from top to bottom."""
    st.title("Dissect")
    st.write(
        "Examines the conversion node by node: the TensorFlow and LiteRT ops of every ONNX node, each runtime's error "
        "there, and the node where an error starts."
    )
    run = shared.require_stage("export", "Dissecting")
    jobs.show_start_error()
    if jobs.show_job(run, content.STAGE):
        return
    config = settings(run)
    stage = content.stage_of(config.lesson)
    state = run.state(stage)
    jobs.start_button(
        "Dissect" if state.state == "missing" else "Dissect again",
        lambda: run,
        ["dissect", *arguments(config, DissectConfig())],
        type="primary",
        icon=":material/biotech:",
        help="Runs every runtime with all its tensors, and every node alone. About ten seconds for a small network",
    )
    if state.state == "missing":
        return
    if state.state == "stale":
        st.warning(f"This dissection is out of date: {state.reason}. Dissect the run again.", icon=":material/warning:")
    try:
        report = read(run.path, stage, digest(run.file(f"{stage}/{content.FILE}")))
    except (OSError, RunError) as error:
        st.error(f"{content.FILE} cannot be read: {one_line(error)}. Dissect the run again.")
        return
    show_findings(report)
    nodes_tab, answers_tab, files_tab = st.tabs(["Node by node", "Answers", "Downloads"])
    with nodes_tab:
        show_nodes(report)
    with answers_tab:
        answers.show(run, stage, report)
    with files_tab:
        show_files(run, stage, report)


def settings(run: Run) -> DissectConfig:
    """Widgets for the settings of a dissection."""
    fields = {field.path[0]: field for field in describe(DissectConfig)}
    left, middle, right = st.columns([3, 2, 2])
    lessons = list(_FAULTS) if not run.is_model else ["none"]
    lesson = left.selectbox(
        "Fault to insert",
        lessons,
        format_func=lambda name: _FAULTS[name],
        key="lesson",
        bind="query-params",
        help="A lesson: inserts the fault into a copy, and the dissection has to find it. The run does not change. "
        "Only for networks that read digits",
    )
    converter = middle.selectbox(
        "Converter",
        fields["converter"].choices,
        key="dissect-converter",
        bind="query-params",
        help="Dissects this converter's conversion, converting first if needed. If the converter does not support the "
        "model, the dissection shows at which node, and which converter does",
    )
    samples = right.select_slider(
        "Samples",
        (1, 2, 4, 8, 16, 32, 64),
        8,
        key="dissect-samples",
        bind="query-params",
        help="Compares every tensor on these samples; more samples find rarer errors and take longer",
    )
    return DissectConfig().replace(lesson=lesson, converter=converter or "native", samples=samples)


@st.cache_resource(show_spinner="reading the dissection", max_entries=4)
def read(path: Path, stage: str, sha256: str) -> DissectionReport:
    """The dissection of a run or a lesson, cached for all sessions until its digest changes."""
    return documents.load(Run(path), stage)


def show_findings(report: DissectionReport) -> None:
    """Show the findings, or that there are none."""
    if note := content.lesson_note(report):
        st.warning(note, icon=":material/school:")
    for finding in report.findings:
        st.error(f"**{finding.text}**\n\n{finding.mend}", icon=":material/bug_report:")
    if not report.findings:
        st.success(f"{content.headline(report).capitalize()}.", icon=":material/verified:")


@st.fragment
def show_nodes(report: DissectionReport) -> None:
    """Show both graphs, the table, and the chosen node."""
    _take_click()
    names = [node.node for node in report.pictures.onnx.nodes]
    left, right = st.columns([1, 2])
    runtime = left.selectbox(
        "Color by",
        report.runtimes[1:],
        index=1 if len(report.runtimes) > 2 else 0,
        key="dissect-runtime",
        bind="query-params",
        help="Error of this runtime against ONNX Runtime, from blue (rounding) to red; gray: not compared",
    )
    if st.session_state.get("dissected-node") not in names:
        st.session_state.pop("dissected-node", None)
    chosen = right.selectbox(
        "Node",
        names,
        index=None,
        key="dissected-node",
        placeholder="click a node in either graph, or choose one",
        help="Shows its ops, weights and errors below",
    )
    errors = {
        node.name: node.runtimes[runtime].whole.relative
        for node in reversed(report.nodes)  # reversed: the first of several outputs wins
        if runtime in node.runtimes
    }
    dark = st.context.theme.type == "dark"
    operators = {entry.name: entry.of for entry in report.entries if entry.of}
    operator = operators.get(chosen or "", chosen)  # a part marks its whole operator
    left, right = st.columns(2)
    for column, title, picture, marked in (
        (left, "ONNX", report.pictures.onnx, chosen),
        (right, "TensorFlow", report.pictures.tensorflow, operator),
    ):
        with column:
            st.subheader(title, anchor=False)
            st.plotly_chart(
                figures.graph(picture, errors, marked, dark=dark),
                width="stretch",
                key=f"dissect-{title.lower()}",
                on_select="rerun",
                selection_mode="points",
                config={"scrollZoom": True},
                alt=f"The graph in {title}, with nodes colored by error",
            )
    if chosen is not None:
        one_node.show(report, chosen)
    st.subheader("All nodes", anchor=False)
    st.caption(f"{content.transposes(report)}.")
    st.dataframe(content.rows(report), hide_index=True, width="stretch", column_config=_formats(report))
    if node_map := tables.node_map(report):
        st.subheader("TensorFlow and LiteRT ops by node", anchor=False)
        st.dataframe(node_map, hide_index=True, width="stretch")


def _formats(report: DissectionReport) -> dict[str, Any]:
    number = st.column_config.NumberColumn(format="%.1e")
    columns = ["noise", *report.runtimes[1:], *(f"{name} adds" for name in report.runtimes[1:])]
    return dict.fromkeys(columns, number)


def _take_click() -> None:
    """Choose the node clicked last in one of the graphs."""
    for key in ("dissect-onnx", "dissect-tensorflow"):
        points = st.session_state[key].selection.points if key in st.session_state else []
        name = points[-1].get("customdata") if points else None
        if name and name != st.session_state.get(f"{key} click"):
            st.session_state["dissected-node"] = name
        st.session_state[f"{key} click"] = name


def show_files(run: Run, stage: str, report: DissectionReport) -> None:
    """Downloads of the report and of files for other viewers."""
    files = {
        "report.html": "The report as one page",
        "netron.json": "For Netron: open the model, then drop this file on it",
        **{
            f"model_explorer.{name}.json": f"For Model Explorer, with its extension model-explorer-onnx: {name}"
            for name in report.runtimes[1:]
        },
    }
    with st.container(horizontal=True):
        for name, text in files.items():
            path = f"{stage}/{name}"
            shared.download_button(
                run, path, name, _file_name(stage, name), on_click="ignore", icon=":material/download:", help=text
            )


def _file_name(stage: str, name: str) -> str:
    """The name of a downloaded file; a lesson's file includes the lesson's name."""
    return name if stage == content.STAGE else f"{stage.replace('/', '-')}-{name}"


frame.show(main)
