"""Show the tour: on the first visit to a finished run on Home, and whenever somebody asks for it."""

from __future__ import annotations

import time

import streamlit as st

from convnet_core.language import _
from pages.components.browser_part import CONTROLS, read_part

_HTML, _CSS, _JS = read_part(__file__, "tour")
_component = st.components.v2.component("convnet.tour", html=_HTML, css=CONTROLS + _CSS, js=_JS)
_ASKED = "tour asked"
PAD, VERDICT = "home-pad", "home-verdict"
"""Keys of the containers on Home that the tour shows."""


def button() -> None:
    """A button that starts the tour, on any page."""
    if st.button(_("Take the tour"), icon=":material/tour:", type="tertiary", help=_("One minute, on Home")):
        st.session_state[_ASKED] = time.time_ns() // 1_000_000
        st.switch_page("pages/home.py")


def show(*, first: bool) -> None:
    """Show the tour on Home, last: by itself if `first` is true and this browser has not seen it, or if asked for.

    Leaves out what the page does not show.
    """
    words = {"next": _("Next"), "back": _("Back"), "skip": _("Skip"), "done": _("Done")}
    # Streamlit 1.67 imports pandas, half a second, to look at a list or a dict among these values, but not at a tuple.
    data = {"steps": tuple(_steps()), **words, "first": first, "asked": st.session_state.get(_ASKED, 0)}
    _component(key="tour", data=data)


def _steps() -> list[dict[str, str]]:
    """What to show, as CSS selectors, and what to say of it."""
    link = '.st-key-trail-pages a[href*="{page}"]'
    steps = [
        (
            f".st-key-{PAD}",
            _("Draw here"),
            _("Draw a digit with a mouse, a pen or a finger. Every runtime reads it while you draw."),
        ),
        (
            f".st-key-{VERDICT}",
            _("The verdict"),
            _("All runtimes got the same inputs. This says whether their answers agree, and on what it stands."),
        ),
        (
            '[data-testid="way"]',
            _("The way"),
            _("PyTorch trains the network, ONNX carries it over, TensorFlow and LiteRT run it. Each box is a link."),
        ),
        (
            link.format(page="export"),
            _("The graph"),
            _("Export shows the network as a graph: search it, fold it, and click a node to see inside."),
        ),
        (
            link.format(page="dissect"),
            _("Every node from all sides"),
            _("Dissect shows what each node became and where an error starts. Lessons put real faults in to find."),
        ),
        (
            link.format(page="sketchpad"),
            _("The sketchpad"),
            _("A larger pad, and what the network sees in your drawing. The line above the title says what is next."),
        ),
    ]
    return [{"target": target, "title": title, "text": text} for target, title, text in steps]
