"""A mouse for AppTest, which has none: a stand-in for the pad gives the picture that the browser would send."""

import base64
import io
import threading

import numpy as np
import streamlit as st
from PIL import Image

from tests.pages.conftest import open_page


def png(pixels):
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "PNG")
    return written.getvalue()


class Mouse:
    """What the browser's pad holds; `asked` is what the page asked of the pad last.

    A `url` is sent as it is, instead of the picture.
    """

    def __init__(self):
        self.strokes, self.picture, self.url, self.asked = [], None, None, {}

    def draws(self, grey, strokes=1):
        """A picture, float [280, 280] in [0, 1], in some strokes."""
        level = np.rint(grey * 255).astype(np.uint8)
        self.picture = png(np.dstack([level, level, level, np.full_like(level, 255)]))
        self.strokes = [{"type": "Path", "number": number} for number in range(strokes)]

    def __call__(self, **options):
        self.asked = options
        st.checkbox("stands for the pad", key=options["key"])  # a widget's key lives as long as its page is open
        from streamlit_drawable_canvas import CanvasResult  # which imports only while an app runs

        url = self.url
        if url is None and self.picture is not None:
            url = f"data:image/png;base64,{base64.b64encode(self.picture).decode()}"
        return CanvasResult({"objects": self.strokes}, url, return_image_data=options["return_image_data"])


def warm(app):
    """Wait for the runtimes as a person would, and draw the page again."""
    for thread in threading.enumerate():
        if thread.name.startswith("reader of"):
            thread.join(120)
    app.run()
    assert not app.exception
    return app


def opened():
    return warm(open_page("sketchpad"))
