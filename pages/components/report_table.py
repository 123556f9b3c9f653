"""The verdict and the table of runtimes of a comparison."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from convnet_core.common.formatting import capitalized, format_error, format_share, format_size
from convnet_core.compare.report_file import Report
from convnet_core.compare.verdict import basis, explanations, sentence
from convnet_core.language import _
from convnet_core.runs.run import Run
from pages.components import run_state as shared


def show_verdict(report: Report, not_compared: Sequence[str], *, stale: bool = False) -> None:
    """Show the verdict in one sentence, with the converters that it does not cover.

    An out-of-date verdict is shown as such.
    """
    text = sentence(report, not_compared)
    if stale:
        st.info(
            _("The last comparison, which is out of date, said: {verdict}.", verdict=text), icon=":material/history:"
        )
    elif report.agree:
        st.success(_("{sentence}.", sentence=capitalized(text)), icon=":material/verified:")
    else:
        st.error(_("Not all runtimes agree: {verdict}.", verdict=text), icon=":material/error:")
    if report.scope:
        st.caption(_("Compared on {scope}.", scope=report.scope))
    for note in report.notes:
        st.caption(_("{sentence}.", sentence=note))


def show_table(report: Report) -> None:
    """Show a row for each runtime, and below it what surprises in the numbers."""
    st.dataframe(
        [
            {
                _("Runtime"): line.name,
                _("Verdict"): _("✗ fail") if not line.passed else _("✓ pass") if line.judged else _("not judged"),
                _("Largest error"): format_error(line.max_abs_error),
                _("Equal labels"): format_share(line.label_agreement),
                _("Judged by"): basis(report, line),
                _("Accuracy"): format_share(line.accuracy),
                _("Size"): format_size(line.bytes),
            }
            for line in report.runtimes
        ],
        hide_index=True,
        width="stretch",
        height="content",
    )
    reasons = [
        "- " + _("**{runtime}**: {reason}", runtime=line.name, reason=line.reason)
        for line in report.runtimes
        if not line.passed
    ]
    if reasons:  # the table would cut them off
        st.markdown("\n".join(reasons))
    if texts := explanations(report):
        st.caption("  \n".join(texts))


def download_report(run: Run) -> None:
    """A download button for the report of the last comparison."""
    shared.download_button(
        run,
        "compare/report.html",
        _("Download the report"),
        f"{run.name}.html",
        mime="text/html",
        icon=":material/download:",
        help=_("The report of the last comparison, with the tolerances used then"),
    )
