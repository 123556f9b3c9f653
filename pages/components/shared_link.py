"""Links that hide parts of the app, for a class: `?hide=menu,settings` in the address of any page.

The address of the first page decides; the session keeps the choice and writes it into the address of every other page,
until the reader shows everything again. A hidden part is still drawn, so its widgets keep the values that the address
gives them; the browser leaves it out.
"""

from __future__ import annotations

from urllib.parse import urlencode

import streamlit as st

from convnet_core.language import N_, _

NAME = "hide"
"""The name of the choice in the address and in the session."""

_PARTS = {
    "menu": (N_("The menu of pages"), '[data-testid="stSidebarNav"], .st-key-trail'),
    "runs": (N_("The choice of the run, and the list of runs"), '.st-key-run, [class*="st-key-runs"]'),
    "settings": (N_("Settings"), '[class*="st-key-settings"], .st-key-opset, .st-key-fuse-batchnorm'),
    "code": (N_("Code and command lines"), '[class*="st-key-code"]'),
    "downloads": (N_("Downloads"), '[data-testid="stElementContainer"]:has(> [data-testid="stDownloadButton"])'),
    "upload": (N_("Uploads"), '[data-testid="stElementContainer"]:has(> [data-testid="stFileUploader"])'),
}
"""What an address can hide, by its name there: what the reader calls it, and its elements as a CSS selector."""
_SIDEBAR = '[data-testid="stSidebar"], [data-testid="stExpandSidebarButton"]'
_BACK = "show-everything"
_STYLE = f"""[data-testid="stLayoutWrapper"]:has(> .st-key-{_BACK}) {{
    position: fixed; right: 1rem; bottom: 0.5rem; width: auto; z-index: 10
}}"""


def follow() -> None:
    """Take over what the address hides, and keep it in the address of the next pages. Call it first on every page."""
    if NAME in st.query_params:
        asked = st.query_params[NAME].split(",")
        st.session_state[NAME] = [name for name in _PARTS if name in asked]
    elif hidden():
        st.query_params[NAME] = ",".join(hidden())


def hidden() -> list[str]:
    """The names of the parts that are hidden."""
    names: list[str] = st.session_state.get(NAME, [])
    return names


def in_links() -> dict[str, str]:
    """What a link within the app must carry: what is hidden, and the language, if the address has them."""
    return {name: st.query_params[name] for name in (NAME, "lang") if name in st.query_params}


def apply() -> None:
    """Hide the parts, and offer to show them again."""
    if not hidden():
        return
    selectors = [_PARTS[name][1] for name in hidden()]
    if {"menu", "runs"} <= set(hidden()):
        selectors.append(_SIDEBAR)
    st.html(f"<style>{', '.join(selectors)} {{display: none}} {_STYLE}</style>")
    with st.container(key=_BACK):
        st.button(
            _("Show all controls"),
            icon=":material/visibility:",
            on_click=_show_everything,
            help=_("The link that you followed hides some of them"),
        )


def _show_everything() -> None:
    st.session_state.pop(NAME, None)
    st.query_params.pop(NAME, None)


def share_button() -> None:
    """A button that opens the dialog with a link to this page."""
    label = _("Share this page")
    if st.button(label, icon=":material/share:", type="tertiary", help=_("A link to it as you see it now")):
        st.dialog(label)(_share)()


def _share() -> None:
    """Choose what the link hides, and copy it."""
    names = st.pills(
        _("What the link hides"),
        list(_PARTS),
        selection_mode="multi",
        default=hidden(),
        format_func=lambda name: _(_PARTS[name][0]),
        key="share-hides",
    )
    kept = {name: st.query_params.get_all(name) for name in st.query_params if name not in (NAME, *_OWN)}
    query = urlencode({**kept, **({NAME: ",".join(names)} if names else {})}, doseq=True, safe=",")
    st.code(f"{st.context.url}?{query}", language=None, wrap_lines=True)
    st.caption(
        _(
            "It opens this page with the run and the settings that you see. It works wherever this app can be reached, "
            "and whoever follows it can show all controls again."
        )
    )


_OWN = ("answers",)
"""What in the address belongs to one reader."""
