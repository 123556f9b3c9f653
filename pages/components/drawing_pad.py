"""The pad for drawing digits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import streamlit as st
import streamlit_drawable_canvas as canvas
from streamlit.delta_generator import DeltaGenerator

from convnet_core.data.picture import Gray, from_bytes
from convnet_core.errors import DataError
from convnet_core.language import N_, _

SIDE = 280
"""Width and height of the pad in pixels."""

_NAME = N_("the drawing")
_KEY, _SKETCH = "plain pad", "plain sketch"  # in the session; the live pad keeps its own drawing

# streamlit-drawable-canvas 0.13 cannot hide its toolbar. Invisible, it covers the pad's upper right corner and catches
# strokes that begin there; its pencil button turns drawing off. Our own buttons are below the pad.
canvas.out = st.components.v2.component(
    "streamlit-drawable-canvas.streamlit_drawable_canvas",
    html='<style>.dc-toolbar { display: none !important }</style><div class="canvas-root"></div>',
    css="index-*.css",
    js="index-*.js",
    isolate_styles=True,
)


@dataclass
class Sketch:
    """The drawing of a session.

    `start` is what the pad starts with, `strokes` what it shows, `message` what the browser sent last (PNG, strokes),
    and `outdated` a message from before the start, to ignore.
    """

    start: dict[str, Any] = field(default_factory=lambda: {"objects": []})
    strokes: list[Any] = field(default_factory=list)
    message: tuple[bytes, list[Any]] | None = None
    outdated: tuple[bytes, list[Any]] | None = None


def draw() -> Gray | None:
    """Show the pad, its buttons and its pen; returns the brightness [280, 280], or None before the first stroke.

    The session stores the drawing as PNG, a hundredth of the size, to restore it after a visit to another page.
    Raises DataError if the browser sent something other than an image.
    """
    sketch: Sketch = st.session_state.setdefault(_SKETCH, Sketch())
    if _KEY not in st.session_state:
        show_again(sketch.strokes)
    st.markdown("**" + _("Draw here") + "**")
    place = st.container()
    with st.container(horizontal=True):
        undo, clear = st.empty(), st.empty()
    width = st.slider(
        _("Pen width, pixels"), 6, 40, 18, key="pen", bind="query-params", help=_("Applies to new strokes")
    )
    with place:
        result = canvas.st_canvas(
            key=_KEY,
            width=SIDE,
            height=SIDE,
            stroke_width=width,
            stroke_color="#000000",
            background_color="#ffffff",
            initial_drawing=sketch.start,
            return_image_data=True,
        )
    png = _image_bytes(result)
    message = sketch.message if png is None else (png, (result.json_data or {}).get("objects", []))
    drawing = None if message is None else from_bytes(message[0], _(_NAME))
    if message is not None and message != sketch.outdated:
        sketch.message, sketch.strokes, sketch.outdated = message, message[1], None
    _button(undo, _("Undo"), "undo", _("Removes the last stroke"), sketch.strokes, sketch.strokes[:-1])
    _button(clear, _("Clear"), "delete_sweep", _("Clears the pad"), sketch.strokes, [])
    return drawing


def _image_bytes(result: canvas.CanvasResult) -> bytes | None:
    """The image that the browser sent; None if it has not sent one yet."""
    try:
        picture: bytes | None = result.image_bytes
    except ValueError as error:  # the component does not check the base64
        raise DataError(_("{file}: cannot be read as an image", file=_(_NAME))) from error
    return picture


def _button(
    place: DeltaGenerator, label: str, icon: str, help_text: str, strokes: list[Any], remaining: list[Any]
) -> None:
    place.button(
        label, icon=f":material/{icon}:", help=help_text, disabled=not strokes, on_click=show_again, args=(remaining,)
    )


def show_again(strokes: list[Any]) -> None:
    """Make the browser's pad start with these strokes. The pad only reads a start value that differs from the last.

    Until the browser has drawn them, the pad still returns its last message. Ignore it, or a second click on Undo right
    after the first would start again from the old strokes.
    """
    sketch: Sketch = st.session_state[_SKETCH]
    sketch.start = {"objects": strokes, "turn": sketch.start.get("turn", 0) + 1}
    sketch.strokes, sketch.outdated = strokes, sketch.message
