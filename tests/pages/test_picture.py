"""The Sketchpad page with an image file or a photograph in place of a drawing."""

import numpy as np
import pytest

from convnet_core.data import picture
from convnet_core.data.picture import from_bytes
from tests.conftest import RUNTIMES, copy_of
from tests.pages.conftest import open_page, text_of
from tests.pages.mouse import png, wait_for_runtimes


def open_source(name):
    app = open_page("sketchpad")
    app.segmented_control[0].set_value(name)
    return wait_for_runtimes(app)


def as_png(drawing):
    return png(np.rint(255 * drawing).astype(np.uint8))


def test_an_image_file_is_read(root, finished_run, digits):
    copy_of(finished_run, root)
    app = open_source("file")
    assert "One digit, from 0 to 9" in text_of(app)
    app.file_uploader[0].set_value(("seven.png", as_png(digits[7]), "image/png")).run()
    assert f"All {len(RUNTIMES)} runtimes read 7" in text_of(app)


def test_a_file_is_decoded_once(root, finished_run, digits, monkeypatch):
    copy_of(finished_run, root)
    names = []

    def count(content, name):
        names.append(name)
        return from_bytes(content, name)

    app = open_source("file")
    monkeypatch.setattr(picture, "from_bytes", count)
    app.file_uploader[0].set_value(("seven.png", as_png(digits[7]), "image/png")).run()
    app.run()
    app.file_uploader[0].set_value(("four.png", as_png(digits[4]), "image/png")).run()
    assert names == ["seven.png", "four.png"]
    assert f"All {len(RUNTIMES)} runtimes read 4" in text_of(app)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"no picture", "three.png: cannot be read as an image"),
        (png(np.zeros((8000, 8000), np.uint8)), "three.png: 8000 × 8000 is too many pixels"),
        (png(np.zeros((300, 300), np.uint8))[:70], "three.png: cannot be read as an image"),
    ],
)
def test_a_hostile_image_file_is_named(root, finished_run, content, fault):
    copy_of(finished_run, root)
    app = open_source("file")
    app.file_uploader[0].set_value(("three.png", content, "image/png")).run()
    assert fault in text_of(app)
    assert "runtimes read" not in text_of(app)


def test_a_photograph_is_read(root, finished_run, digits):
    copy_of(finished_run, root)
    app = open_source("camera")
    app.camera_input[0].set_value(("photo.jpg", as_png(digits[7]), "image/jpeg")).run()
    assert f"All {len(RUNTIMES)} runtimes read 7" in text_of(app)


def test_the_drawing_is_still_there_after_a_picture(root, finished_run, digits):
    copy_of(finished_run, root)
    app = open_source("file")
    app.file_uploader[0].set_value(("seven.png", as_png(digits[7]), "image/png")).run()
    app.segmented_control[0].set_value("Draw").run()
    assert "One digit, from 0 to 9" in text_of(app)
