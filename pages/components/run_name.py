"""The name of the selected run and the notes on it, to change where the run is chosen."""

from __future__ import annotations

import streamlit as st

from convnet_core.errors import ConvNetError
from convnet_core.language import _
from convnet_core.runs import names
from convnet_core.runs.run import Run
from pages.components import job_area as jobs
from pages.components.markdown import escape

_LONGEST_IN_PICKER = 26


def show_editor(run: Run) -> None:
    """Show the whole name if the picker cuts it, and the notes; in a popover, both can be changed."""
    try:
        title, notes = names.given_title(run), names.notes_of(run)
        if len(title) > _LONGEST_IN_PICKER:
            st.caption(escape(title))
        if notes:
            st.caption(escape(notes))
        with st.container(key="runs-name"), st.popover(_("Name and notes"), type="tertiary", icon=":material/edit:"):
            # A name or notes from elsewhere make a new widget, which shows them.
            new_title = st.text_input(
                _("Name"),
                title,
                key=f"title of {run.name}: {title}",
                max_chars=names.MAX_TITLE,
                placeholder=names.shown_names([run])[run.name],
            )
            new_notes = st.text_area(_("Notes"), notes, key=f"notes on {run.name}: {notes}", max_chars=names.MAX_NOTES)
            st.caption(_("Folder: `{name}`", name=run.name))
        if names.clean_title(new_title) != title:
            names.rename_run(run, new_title)
            st.rerun()
        if new_notes.strip() != notes:
            names.write_notes(run, new_notes)
            st.rerun()
    except ConvNetError as error:
        jobs.show_error(error)
