"""Two runs side by side."""

from __future__ import annotations

import streamlit as st

from convnet_core.jobs.job_progress import thin
from convnet_core.jobs.side_by_side import Table, side_by_side
from convnet_core.language import _
from convnet_core.runs.run import Run
from convnet_core.training.history import read_curve
from pages.charts.training_curves import show_curves
from pages.components import run_state as shared


def show_two_runs(left: Run, right: Run) -> None:
    """Show what was set differently in two runs, their curves over each other, and what came of them."""
    found = side_by_side(left, right)
    names = {"a": shared.name_in_markdown(left), "b": shared.name_in_markdown(right)}
    st.markdown(_("**A** is {a}, **B** is {b}.", **names))
    if found.notes:
        st.caption("  \n".join(found.notes))
    results, settings = st.columns(2, gap="medium")
    with results:
        _show(found.results)
    with settings:
        if found.settings.rows:
            _show(found.settings)
        elif found.all_settings.rows:
            st.markdown(f"**{found.settings.title}**")
            st.caption(_("None: both runs have the same settings."))
    curves = {name: curve for name, run in ((_("A"), left), (_("B"), right)) if (curve := thin(read_curve(run)))}
    if curves:
        show_curves(curves)
    for table in (found.runtimes, found.speed, found.files):
        if table.rows:
            _show(table)
    if found.all_settings.rows:
        with st.expander(_("All settings that both have"), icon=":material/tune:"):
            _show(found.all_settings)


def _show(table: Table) -> None:
    """Show a table: for each heading a column of A, then one of B."""
    st.markdown(f"**{table.title}**")
    several = len(table.headings) > 1
    rows = []
    for row in table.rows:
        cells = {"": row.name}
        for heading, left, right in zip(table.headings, row.left, row.right, strict=True):
            cells |= {f"A: {heading}" if several else "A": left, f"B: {heading}" if several else "B": right}
        rows.append(cells)
    st.dataframe(rows, hide_index=True, width="stretch", height="content", key=f"side by side {table.title}")
