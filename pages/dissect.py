"""Dissect: what every node became, how much error each runtime has there, and where it is born."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from convnet_core.common.files import digest
from convnet_core.config.arguments import arguments
from convnet_core.config.fields import describe
from convnet_core.config.stages import DissectConfig
from convnet_core.dissect.report import content as report
from convnet_core.dissect.report import documents, tables
from convnet_core.errors import RunError, one_line
from convnet_core.runs.run import Run
from pages.charts import dissection as figures
from pages.components import dissected_answers as answers
from pages.components import dissected_node as one_node
from pages.components import frame
from pages.components import job_area as jobs
from pages.components import run_state as shared

_FAULTS = {"none": "none: the run as it is", **report.FAULTS}


def main() -> None:
    """The page, from top to bottom."""
    st.title("Dissect")
    st.write(
        "The conversion taken apart: what every ONNX node became in TensorFlow and LiteRT, how far each runtime is off "
        "there, and at which node an error is born."
    )
    run = shared.need("export", "Dissecting")
    jobs.refusal()
    if jobs.area(run, report.STAGE):
        return
    config = settings(run)
    stage = report.stage_of(config.lesson)
    state = run.state(stage)
    jobs.start_button(
        "Take apart" if state.state == "missing" else "Take apart again",
        lambda: run,
        ["dissect", *arguments(config, DissectConfig())],
        type="primary",
        icon=":material/biotech:",
        help="Runs every runtime with all its tensors, and every node alone; about ten seconds for a small network",
    )
    if state.state == "missing":
        return
    if state.state == "stale":
        st.warning(f"This dissection is stale: {state.reason}. Take the run apart again.", icon=":material/warning:")
    try:
        found = read(run.path, stage, digest(run.file(f"{stage}/{report.FILE}")))
    except (OSError, RunError) as error:
        st.error(f"{report.FILE} cannot be read: {one_line(error)}. Take the run apart again.")
        return
    said(found)
    nodes_tab, answers_tab, files_tab = st.tabs(["Node by node", "Answers", "Take along"])
    with nodes_tab:
        nodes(found)
    with answers_tab:
        answers.show(run, stage, found)
    with files_tab:
        take_along(run, stage, found)


def settings(run: Run) -> DissectConfig:
    """What to take apart, chosen with widgets."""
    fields = {field.path[0]: field for field in describe(DissectConfig)}
    left, middle, right = st.columns([3, 2, 2])
    lessons = list(_FAULTS) if not run.is_model else ["none"]
    lesson = left.selectbox(
        "Fault to put in",
        lessons,
        format_func=lambda name: _FAULTS[name],
        key="lesson",
        bind="query-params",
        help="A lesson: the fault is put into a copy, and the dissection has to find it. Nothing of the run changes. "
        "Lessons need a network that reads digits",
    )
    converter = middle.selectbox(
        "Converter",
        fields["converter"].choices,
        key="dissect-converter",
        bind="query-params",
        help="Whose conversion is taken apart; it is made first where there is none. Where the converter refuses the "
        "model, the dissection says at which node, and who takes it",
    )
    samples = right.select_slider(
        "Samples",
        (1, 2, 4, 8, 16, 32, 64),
        8,
        key="dissect-samples",
        bind="query-params",
        help="Every tensor is compared on these; more find rarer errors and take longer",
    )
    return DissectConfig().replace(lesson=lesson, converter=converter or "native", samples=samples)


@st.cache_resource(show_spinner="reading the dissection", max_entries=4)
def read(path: Path, stage: str, sha256: str) -> dict[str, Any]:
    """The dissection of a run or of a lesson, one for all sessions; read again when its digest changes."""
    return documents.load(Run(path), stage)


def said(content: dict[str, Any]) -> None:
    """The findings, or that there are none."""
    if note := report.lesson_note(content):
        st.warning(note, icon=":material/school:")
    for item in content["findings"]:
        st.error(f"**{item['text']}**\n\n{item['mend']}", icon=":material/bug_report:")
    if not content["findings"]:
        st.success(f"{report.headline(content).capitalize()}.", icon=":material/verified:")


@st.fragment
def nodes(content: dict[str, Any]) -> None:
    """Both graphs, the table, and the chosen node."""
    _take_click()
    names = [node["node"] for node in content["pictures"]["onnx"]["nodes"]]
    left, right = st.columns([1, 2])
    runtime = left.selectbox(
        "Coloured by",
        content["runtimes"][1:],
        index=min(1, len(content["runtimes"]) - 2),
        key="dissect-runtime",
        bind="query-params",
        help="The error of this runtime against ONNX Runtime, from blue (rounding) to red; grey was not compared",
    )
    if st.session_state.get("dissected-node") not in names:
        st.session_state.pop("dissected-node", None)
    chosen = right.selectbox(
        "Node",
        names,
        index=None,
        key="dissected-node",
        placeholder="click a node in either graph, or choose one",
        help="Its ops on all sides, its weights, and its errors are shown below",
    )
    errors = {
        node["name"]: report.parse_number(node["runtimes"][runtime]["whole"]["relative"])
        for node in reversed(content["nodes"])  # of several outputs, the first
        if runtime in node["runtimes"]
    }
    dark = st.context.theme.type == "dark"
    wholes = {entry["name"]: entry["of"] for entry in content["entries"] if entry.get("of")}
    ringed = {"onnx": chosen, "tensorflow": wholes.get(chosen or "", chosen)}  # of a part, the operator that it is in
    for column, title, key in zip(st.columns(2), ("ONNX", "TensorFlow"), ("onnx", "tensorflow"), strict=True):
        with column:
            st.subheader(title, anchor=False)
            st.plotly_chart(
                figures.graph(content["pictures"][key], errors, ringed[key], dark=dark),
                width="stretch",
                key=f"dissect-{key}",
                on_select="rerun",
                selection_mode="points",
                config={"scrollZoom": True},
                alt=f"The graph in {title}, its nodes coloured by error",
            )
    if chosen is not None:
        one_node.show(content, chosen)
    st.subheader("All nodes", anchor=False)
    st.caption(f"{report.transposes(content)}.")
    st.dataframe(report.rows(content), hide_index=True, width="stretch", column_config=_formats(content))
    if mapped := tables.node_map(content):
        st.subheader("What each became", anchor=False)
        st.dataframe(mapped, hide_index=True, width="stretch")


def _formats(content: dict[str, Any]) -> dict[str, Any]:
    number = st.column_config.NumberColumn(format="%.1e")
    heads = ["noise", *content["runtimes"][1:], *(f"{name} adds" for name in content["runtimes"][1:])]
    return dict.fromkeys(heads, number)


def _take_click() -> None:
    """Choose the node that was clicked last in one of the graphs."""
    for key in ("dissect-onnx", "dissect-tensorflow"):
        points = st.session_state[key].selection.points if key in st.session_state else []
        name = points[-1].get("customdata") if points else None
        if name and name != st.session_state.get(f"{key} click"):
            st.session_state["dissected-node"] = name
        st.session_state[f"{key} click"] = name


def take_along(run: Run, stage: str, content: dict[str, Any]) -> None:
    """Files for people and for other viewers."""
    files = {
        "report.html": "The report as one page",
        "netron.json": "For Netron: open the model, then drop this file on it",
        **{
            f"model_explorer.{name}.json": f"For Model Explorer, with its extension model-explorer-onnx: {name}"
            for name in content["runtimes"][1:]
        },
    }
    with st.container(horizontal=True):
        for name, text in files.items():
            path = f"{stage}/{name}"
            shared.download(
                run, path, name, _file_name(stage, name), on_click="ignore", icon=":material/download:", help=text
            )


def _file_name(stage: str, name: str) -> str:
    """What a file is called where it is taken along: a lesson's has the lesson's name."""
    return name if stage == report.STAGE else f"{stage.replace('/', '-')}-{name}"


frame.show(main)
