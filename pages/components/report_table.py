"""The verdict and the table of runtimes of a comparison."""

from __future__ import annotations

from typing import Any

import streamlit as st

from convnet_core.formats import format_error, format_share, format_size


def runtimes(report: dict[str, Any], *, stale: bool = False) -> None:
    """The verdict and the table of runtimes of a report.json. A stale verdict is not shown as one that holds."""
    if stale:
        st.info(f"When these were compared, the verdict was: {report['verdict']}.", icon=":material/history:")
    elif report["verdict"] == "agree":
        st.success(f"All runtimes agree with {report['reference']}.", icon=":material/verified:")
    else:
        failed = ", ".join(line["name"] for line in report["runtimes"] if not line["passed"])
        st.error(f"Not all runtimes agree with {report['reference']}: {failed}", icon=":material/error:")
    st.dataframe(
        [
            {
                "Runtime": line["name"],
                "Converter": line["converter"] or "–",
                "Verdict": f"✗ {line['reason']}"
                if not line["passed"]
                else "✓ pass"
                if line["judged"]
                else "not judged",
                "Size": format_size(line["bytes"]),
                "Accuracy": format_share(line["accuracy"]),
                "Equal labels": format_share(line["label_agreement"]),
                "Largest error": format_error(line["max_abs_error"]),
            }
            for line in report["runtimes"]
        ],
        hide_index=True,
        width="stretch",
    )
