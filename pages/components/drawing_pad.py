"""The pad that people draw on."""

from __future__ import annotations

from typing import Any

import streamlit as st
import streamlit_drawable_canvas as canvas
from streamlit.delta_generator import DeltaGenerator

from convnet_core.data.picture import Gray, from_bytes
from convnet_core.errors import DataError

SIDE = 280
"""Of the pad, in pixels."""

_NAME = "the drawing"

# streamlit-drawable-canvas 0.13 has no switch for its toolbar. Unseen, it lies over the pad's upper right corner and
# takes the strokes that begin there; its pencil turns drawing off. The pad has buttons of its own below it.
canvas.out = st.components.v2.component(
    "streamlit-drawable-canvas.streamlit_drawable_canvas",
    html='<style>.dc-toolbar { display: none !important }</style><div class="canvas-root"></div>',
    css="index-*.css",
    js="index-*.js",
    isolate_styles=True,
)


def draw() -> Gray | None:
    """The pad, its buttons and its pen; the drawing as brightness [280, 280], None before the first stroke.

    The session keeps it as PNG, a hundredth of the size, so that it is there again after a visit to another page.
    Raises DataError where the browser sent no picture.
    """
    sketch = st.session_state.setdefault("sketch", {"begin": {"objects": []}, "objects": [], "png": None})
    if "pad" not in st.session_state:
        show_again(sketch["objects"])
    st.markdown("**Draw here**")
    place = st.container()
    with st.container(horizontal=True):
        undo, clear = st.empty(), st.empty()
    width = st.slider("Pen width, pixels", 6, 40, 18, key="pen", bind="query-params", help="For the strokes to come")
    with place:
        result = canvas.st_canvas(
            key="pad",
            width=SIDE,
            height=SIDE,
            stroke_width=width,
            stroke_color="#000000",
            background_color="#ffffff",
            initial_drawing=sketch["begin"],
            return_image_data=True,
        )
    sent = _sent(result)
    if sent is not None:
        drawing: Gray | None = from_bytes(sent, _NAME)
        sketch.update(objects=(result.json_data or {}).get("objects", []), png=sent)
    else:
        drawing = None if sketch["png"] is None else from_bytes(sketch["png"], _NAME)
    strokes = sketch["objects"]
    _button(undo, "Undo", "undo", "Takes the last stroke away", strokes, strokes[:-1])
    _button(clear, "Clear", "delete_sweep", "Empties the pad", strokes, [])
    return drawing


def _sent(result: canvas.CanvasResult) -> bytes | None:
    """The picture that the browser sent, None where it has sent none yet."""
    try:
        picture: bytes | None = result.image_bytes
    except ValueError as error:  # the component takes base64 for granted
        raise DataError(f"{_NAME}: cannot be read as an image") from error
    return picture


def _button(place: DeltaGenerator, label: str, icon: str, about: str, strokes: list[Any], left: list[Any]) -> None:
    place.button(label, icon=f":material/{icon}:", help=about, disabled=not strokes, on_click=show_again, args=(left,))


def show_again(objects: list[Any]) -> None:
    """Have the browser's pad begin with these strokes; it reads a beginning only where it is not the one before."""
    sketch = st.session_state["sketch"]
    sketch["begin"] = {"objects": objects, "turn": sketch["begin"].get("turn", 0) + 1}
