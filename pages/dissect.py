"""Dissect: the ops of every node, each runtime's error there, and where errors start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from convnet_core.common.files import digest
from convnet_core.common.formatting import capitalized, format_error
from convnet_core.config.flags import arguments
from convnet_core.config.stages import DissectConfig
from convnet_core.dissect.difference import ALLOWED
from convnet_core.dissect.report import content, documents, tables
from convnet_core.dissect.report.report_file import DissectionReport
from convnet_core.errors import RunError, one_line
from convnet_core.language import _, plural
from convnet_core.runs.run import Run
from convnet_core.runs.stage_record import StageState
from pages.components import dissected_answers as answers
from pages.components import dissected_graphs as graphs
from pages.components import frame, shared_link
from pages.components import job_area as jobs
from pages.components import run_state as shared
from pages.components.markdown import escape
from pages.components.names import page_title
from pages.components.remedy import in_the_app
from pages.forms import dissection, lessons


def main() -> None:
    """The page, from top to bottom."""
    st.title(page_title("dissect"))
    st.write(_("Takes the conversion apart: what each ONNX node became, and the node where an error starts."))
    run = shared.require_stage("export", _("Dissecting needs a trained network."))
    jobs.show_start_error()
    lesson = lessons.choose_view()
    if lesson == "none":
        show_dissection(run)
    else:
        lessons.show(run, lesson, lambda stage: read(run.path, stage, digest_of(run, stage)), show_details)


def show_dissection(run: Run) -> None:
    """Show the dissection of the run itself: its answer, the details and the settings of the next one."""
    if jobs.show_job(run, content.STAGE) and not jobs.is_making_lesson(run):
        return
    stage, state = content.STAGE, run.state(content.STAGE)
    answer, details = st.container(), st.container()
    folded = st.expander(_("Settings"), icon=":material/tune:", key="settings")
    with folded:
        config = dissection.settings(run)
    with answer:
        if state.state == "missing":
            offer(run, config)
            return
        try:
            report = read(run.path, stage, digest_of(run, stage))
        except (OSError, RunError) as error:
            st.error(_("{sentence}.", sentence=one_line(error)))
            start_button(run, config, _("Dissect again"))
            return
        show_findings(report, state)
    with details:
        show_details(run, stage, report)
    with answer if state.state == "stale" else folded:
        st.caption(dissection.how_long(run, config))
        start_button(run, config, _("Dissect again"))


def show_details(run: Run, stage: str, report: DissectionReport) -> None:
    """Show everything that was measured."""
    parts = {_("Node by node"): show_nodes, _("Answers"): answers.show}
    if "downloads" not in shared_link.hidden():
        parts[_("Downloads")] = show_files
    for tab, show in zip(st.tabs(list(parts)), parts.values(), strict=True):
        with tab:
            show(run, stage, report)


def offer(run: Run, config: DissectConfig) -> None:
    """Say that there is no dissection yet, with a button that makes it."""
    st.info(_("Not made yet. {time}", time=dissection.how_long(run, config)), icon=":material/biotech:")
    start_button(run, config, page_title("dissect"))


def start_button(run: Run, config: DissectConfig, label: str) -> None:
    """A button that starts a dissection."""
    jobs.start_button(
        label,
        lambda: run,
        ["dissect", *arguments(config, DissectConfig())],
        type="primary" if run.state(content.STAGE).state != "fresh" else "secondary",
        icon=":material/biotech:",
        help=_("Runs every runtime with all its tensors, and every node alone"),
    )


def digest_of(run: Run, stage: str) -> str:
    """The digest of a dissection's file. Raises OSError or RunError."""
    return digest(run.file(f"{stage}/{content.FILE}"))


@st.cache_resource(show_spinner=False, max_entries=4)
def read(path: Path, stage: str, sha256: str) -> DissectionReport:
    """The dissection of a run or a lesson, cached for all sessions until its digest changes."""
    return documents.load(Run(path), stage)


def show_findings(report: DissectionReport, state: StageState) -> None:
    """Show the findings, or that there are none. What is out of date is not shown as an answer."""
    if state.state == "stale":
        st.warning(
            _(
                "Out of date: {reason}. The last dissection said: {verdict}.",
                reason=state.reason,
                verdict=content.headline(report),
            ),
            icon=":material/history:",
        )
        return
    for finding in report.findings:
        st.error(f"**{escape(finding.text)}**\n\n{in_the_app(finding.mend)}", icon=":material/bug_report:")
    if not report.findings:
        st.success(_("{sentence}.", sentence=capitalized(content.headline(report))), icon=":material/verified:")
    config = report.config
    largest, rounding = max(content.errors(report).values(), default=None), f"{ALLOWED['float32']:.0e}"
    text = plural(
        "Converted by {converter}, every tensor compared on {count} sample. The largest float32 error is {error} of "
        "its value's range; up to {rounding} counts as rounding.",
        "Converted by {converter}, every tensor compared on {count} samples. The largest float32 error is {error} of "
        "its value's range; up to {rounding} counts as rounding.",
        config.samples,
        converter=config.converter,
        error=format_error(largest),
        rounding=rounding,
    )
    st.caption(text if report.worst else f"{text} {_('The worst inputs were not searched for.')}")


def show_nodes(run: Run, stage: str, report: DissectionReport) -> None:
    """Show both graphs with the chosen node, and the tables."""
    graphs.show(run, stage, report)
    st.header(_("All nodes"), anchor=False)
    st.caption(
        _(
            "{transposes}. Errors are fractions of the value's range; “adds” is what the node itself adds to the "
            "errors that it inherits.",
            transposes=content.transposes(report),
        )
    )
    st.dataframe(
        tables.translated(content.rows(report)), hide_index=True, width="stretch", column_config=_formats(report)
    )
    if node_map := tables.node_map(report):
        st.header(_("TensorFlow and LiteRT ops by node"), anchor=False)
        st.dataframe(tables.translated(node_map), hide_index=True, width="stretch")


def _formats(report: DissectionReport) -> dict[str, Any]:
    number = st.column_config.NumberColumn(format="%.1e")
    columns = [*report.runtimes[1:], *(f"{name} adds" for name in report.runtimes[1:])]
    noise = st.column_config.NumberColumn(format="%.1e", help=_("Rounding of float32: ONNX Runtime against float64"))
    return {**{tables.heading(name): number for name in columns}, tables.heading("noise"): noise}


def show_files(run: Run, stage: str, report: DissectionReport) -> None:
    """Downloads of the report and of files for other viewers."""
    files = {
        "report.html": _("The report as one page"),
        "netron.json": _("For Netron: open the model, then drop this file on it"),
        **{
            f"model_explorer.{name}.json": _(
                "For Model Explorer, with its extension model-explorer-onnx: {runtime}", runtime=name
            )
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
    return name if stage == content.STAGE else f"{stage.replace('lessons/', 'lesson-')}-{name}"


frame.show(main)
