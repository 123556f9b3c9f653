"""The devices of this machine and the libraries that it lacks."""

from __future__ import annotations

import streamlit as st

from convnet_core.doctor import Examination
from convnet_core.language import _, current, use


@st.cache_resource(show_spinner=False, on_release=Examination.close)
def _examination_in(language: str) -> Examination:
    """Checks of this machine in a language, in a separate process because they import torch."""
    with use(language):
        return Examination()


def _examination() -> Examination:
    return _examination_in(current())


def show_machine() -> None:
    """Show the devices and missing libraries, polling until the checks are done."""
    st.fragment(_show_checks, run_every=1.0 if _examination().checks is None else None)()


def _show_checks() -> None:
    """Show the machine's devices, and missing libraries with the command that installs them."""
    checks = _examination().checks
    if checks is None:
        st.session_state["looking"] = True
        st.caption(_("Checking devices and libraries …"))
        return
    if st.session_state.pop("looking", False):
        st.rerun()  # the next draw of the page stops polling
    for check in checks:
        if check.name.startswith(("device", "GPU")):
            st.markdown(f":material/memory: **{check.title}**: {check.detail}")
    missing = [check for check in checks if not check.ok]
    for check in missing:
        st.warning(f"{check.title}: {check.detail}")
        st.code(check.fix, language="bash", wrap_lines=True)
    if not missing:
        st.markdown(":material/check_circle: " + _("All libraries are installed in their tested versions."))
