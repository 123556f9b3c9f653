"""The language of the session: the browser's, until the reader chooses another one in the sidebar or by the address."""

from __future__ import annotations

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from convnet_core import language
from convnet_core.language import LANGUAGES, _

_KEY = "language"
_CHOSEN = "language_chosen"


def set_up() -> None:
    """Set the session's language before the first text of a page."""
    language.follow_session(_session_language)
    if _KEY not in st.session_state:
        wanted = language.match(st.query_params.get("lang"))
        st.session_state[_CHOSEN] = wanted is not None
        st.session_state[_KEY] = wanted or language.match(st.context.locale) or language.current()


def draw() -> None:
    """Draw the switch in the sidebar. A choice is stored in the address, to survive a reload and to be shared."""
    chosen = st.session_state[_KEY]
    with st.sidebar:
        st.segmented_control(
            _("Language"),
            list(LANGUAGES),
            key=_KEY,
            required=True,
            format_func=LANGUAGES.__getitem__,
            on_change=_remember_choice,
            label_visibility="collapsed",
        )
        # Streamlit 1.67 always writes English there, and a screen reader would read Chinese with an English voice.
        st.html(f"<script>document.documentElement.lang = '{chosen}'</script>", unsafe_allow_javascript=True)
    if st.session_state[_CHOSEN] and st.query_params.get("lang") != chosen:
        st.query_params["lang"] = chosen


def _remember_choice() -> None:
    st.session_state[_CHOSEN] = True


def _session_language() -> str | None:
    """The language of the session that runs in this thread, also in a callback and in a fragment."""
    if get_script_run_ctx(suppress_warning=True) is None:
        return None
    chosen: str | None = st.session_state.get(_KEY)
    return chosen
