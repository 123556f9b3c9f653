"""The verdict and the table of runtimes of a comparison."""

from __future__ import annotations

import streamlit as st

from convnet_core.common.formatting import format_error, format_share, format_size
from convnet_core.compare.report_file import Report
from convnet_core.compare.verdict import sentence


def show_report(report: Report, *, stale: bool = False) -> None:
    """Show the verdict and the table of runtimes of a comparison. An out-of-date verdict is shown as such."""
    if stale:
        st.info(f"The verdict of the last comparison was: {report.verdict}.", icon=":material/history:")
    elif report.agree:
        st.success(f"{sentence(report)}.", icon=":material/verified:")
    else:
        st.error(f"Not all runtimes agree: {sentence(report)}.", icon=":material/error:")
    for note in report.notes:
        st.caption(f"{note}.")
    st.dataframe(
        [
            {
                "Runtime": line.name,
                "Converter": line.converter or "–",
                "Verdict": "✗ fail" if not line.passed else "✓ pass" if line.judged else "not judged",
                "Size": format_size(line.bytes),
                "Accuracy": format_share(line.accuracy),
                "Equal labels": format_share(line.label_agreement),
                "Largest error": format_error(line.max_abs_error),
            }
            for line in report.runtimes
        ],
        hide_index=True,
        width="stretch",
    )
    reasons = [f"- **{line.name}**: {line.reason}" for line in report.runtimes if not line.passed]
    if reasons:  # the table would cut them off
        st.markdown("\n".join(reasons))
