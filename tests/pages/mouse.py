"""A mouse for AppTest, which has none: a stand-in for the pad returns the picture that the browser would send."""

import base64
import io
import threading

import numpy as np
import streamlit as st
from PIL import Image

from tests.pages.conftest import open_page


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


class Mouse:
    """Plays the browser's pad; `options` are those of the page's last call.

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


def open_sketchpad():
    return wait_for_runtimes(open_page("sketchpad"))
