"""The verdict and the table of runtimes of a comparison."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from convnet_core.common.formatting import format_error, format_share, format_size
from convnet_core.compare.report_file import Report
from convnet_core.compare.verdict import basis, explanations, sentence
from convnet_core.runs.run import Run
from pages.components import run_state as shared


def show_verdict(report: Report, not_compared: Sequence[str], *, stale: bool = False) -> None:
    """Show the verdict in one sentence, with the converters that it does not cover.

    An out-of-date verdict is shown as such.
    """
    text = sentence(report, not_compared)
    if stale:
        st.info(f"The last comparison, which is out of date, said: {text}.", icon=":material/history:")
    elif report.agree:
        st.success(f"{text[0].upper()}{text[1:]}.", icon=":material/verified:")
    else:
        st.error(f"Not all runtimes agree: {text}.", icon=":material/error:")
    if report.scope:
        st.caption(f"Compared on {report.scope}.")
    for note in report.notes:
        st.caption(f"{note}.")


def show_table(report: Report) -> None:
    """Show a row for each runtime, and below it what surprises in the numbers."""
    st.dataframe(
        [
            {
                "Runtime": line.name,
                "Verdict": "✗ fail" if not line.passed else "✓ pass" if line.judged else "not judged",
                "Largest error": format_error(line.max_abs_error),
                "Equal labels": format_share(line.label_agreement),
                "Judged by": basis(report, line),
                "Accuracy": format_share(line.accuracy),
                "Size": format_size(line.bytes),
            }
            for line in report.runtimes
        ],
        hide_index=True,
        width="stretch",
        height="content",
    )
    reasons = [f"- **{line.name}**: {line.reason}" for line in report.runtimes if not line.passed]
    if reasons:  # the table would cut them off
        st.markdown("\n".join(reasons))
    if texts := explanations(report):
        st.caption("  \n".join(texts))


def download_report(run: Run) -> None:
    """A download button for the report of the last comparison."""
    shared.download_button(
        run,
        "compare/report.html",
        "Download the report",
        f"{run.name}.html",
        mime="text/html",
        icon=":material/download:",
        help="The report of the last comparison, with the tolerances used then",
    )
