"""A mouse for AppTest, which has none: what the browser would send, for the pad and for the plain pad."""

import base64
import io
import threading

import numpy as np
import streamlit as st
from PIL import Image

from convnet_core.data.pen import strokes_of
from pages.components.live_pad.pad import Sketch
from testing.drawings import strokes
from tests.pages.conftest import open_page


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


class Mouse:
    """Plays the browser's plain pad; `options` are those of the page's last call.

    If `url` is set, it is sent unchanged instead of the picture.
    """

    def __init__(self):
        self.strokes, self.picture, self.url, self.options = [], None, None, {}

    def draw(self, image, strokes=1):
        """Draw an image, float [280, 280] in [0, 1], with this number of strokes."""
        level = np.rint(image * 255).astype(np.uint8)
        self.picture = png(np.dstack([level, level, level, np.full_like(level, 255)]))
        self.strokes = [{"type": "Path", "number": number} for number in range(strokes)]

    def __call__(self, **options):
        self.options = options
        st.checkbox("stand-in for the pad", key=options["key"])  # a widget's key lives as long as its page is open
        from streamlit_drawable_canvas import CanvasResult  # can only be imported while an app runs

        url = self.url
        if url is None and self.picture is not None:
            url = f"data:image/png;base64,{base64.b64encode(self.picture).decode()}"
        return CanvasResult({"objects": self.strokes}, url, return_image_data=options["return_image_data"])


def wait_for_runtimes(app):
    """Wait until the runtimes are loaded and run the page again."""
    for thread in threading.enumerate():
        if thread.name.startswith("reader of"):
            thread.join(120)
    app.run()
    assert not app.exception
    return app


def draw(app, message):
    """Draw strokes, as the browser sends them, on the pad of the page's next run."""
    app.session_state["sketch"] = Sketch(1, strokes_of(message))
    return app


def open_sketchpad(digit=None):
    """The page with all runtimes loaded and, on the pad, a drawing of this digit."""
    app = open_page("sketchpad")
    if digit is not None:
        draw(app, strokes(digit))
    return wait_for_runtimes(app)


def open_plain_pad():
    """The page with the plain pad, and all runtimes loaded."""
    app = open_page("sketchpad")
    app.toggle[0].set_value(True)
    return wait_for_runtimes(app)
