"""Show the pad and its answer, which changes while the pen moves.

The browser sends the drawing as strokes, Python reads it in a fragment and passes the answer back as the component's
data, so nothing else on the page is drawn again. The drawing belongs to the session: all pads of the app show it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape
from typing import Any

import streamlit as st

from convnet_core.data import pen
from convnet_core.data.pen import Stroke, render, strokes_of
from convnet_core.errors import DataError
from convnet_core.language import _
from convnet_core.runs.run import Run
from convnet_core.runtimes.pool import RuntimePool
from pages.components.browser_part import CONTROLS, read_part
from pages.components.live_pad.view import view_of
from pages.components.reading import Reading, keep, read, with_runtimes

_HTML, _CSS, _JS = read_part(__file__, "pad")
_EXAMPLES = json.dumps([pen.example(digit) for digit in range(10)], separators=(",", ":"))
_HTML = _HTML.replace("{examples}", escape(_EXAMPLES))
_component = st.components.v2.component("convnet.live_pad", html=_HTML, css=CONTROLS + _CSS, js=_JS)


@dataclass(frozen=True)
class Sketch:
    """The drawing of a session: the number that the browser gave it, and its strokes; or why there are none."""

    number: int = 0
    strokes: tuple[Stroke, ...] = ()
    error: DataError | None = None

    def read(self, pool: RuntimePool) -> Reading:
        """How the runtimes that are ready read it."""
        if self.error or not self.strokes:
            return Reading(error=self.error)
        return read(render(self.strokes), pool)


def show(run: Run, *, compact: bool = False, then: str = "") -> None:
    """Show the pad and what the runtimes of a run read on it; keeps the reading for `reading.latest`.

    Reads again by itself while runtimes load. `compact` is smaller and has no choice of a pen. `then` is the key of a
    fragment to run again after each stroke.
    """
    layout = "compact" if compact else "full"
    with_runtimes(run, lambda pool: _show(pool, layout, then), "live pad")


def _show(pool: RuntimePool, layout: str, then: str) -> None:
    sketch: Sketch = st.session_state.get("sketch") or Sketch()
    reading = keep(sketch.read(pool))
    _component(
        key="pad",
        data={**view_of(reading, pool), "number": sketch.number, "layout": layout},
        on_drawing_change=lambda: _receive(then),
    )


def show_answer(reading: Reading, pool: RuntimePool) -> None:
    """Show what the runtimes read on a picture, without a pad."""
    _component(key="answer", data={**view_of(reading, pool), "number": 0, "layout": "answer"})


def _receive(then: str) -> None:
    """Keep the drawing that the browser sent; while the pen is down, only the pad is drawn again."""
    message: Any = st.session_state["pad"]["drawing"]
    st.session_state["sketch"], down = sketch_of(message)
    if then and not down:
        st.rerun(["live pad", then])


def sketch_of(message: Any) -> tuple[Sketch, bool]:
    """The drawing in a message, and whether the pen is down."""
    try:
        number, down, strokes = int(message["number"]), bool(message["down"]), message["strokes"]
    except (TypeError, KeyError, ValueError, OverflowError):  # not from our pad; infinity and NaN are valid here
        return Sketch(error=DataError(_("the drawing cannot be read"), hint=_("clear the pad and draw again"))), False
    try:
        return Sketch(number, strokes_of(strokes)), down
    except DataError as error:
        return Sketch(number, error=DataError(str(error), error.hint)), down  # without the traceback and its arrays
