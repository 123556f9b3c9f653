"""The plain pad of the Sketchpad page: what it shows, what it sends and what it keeps."""

import numpy as np
import pytest

from tests.conftest import copy_of
from tests.pages.conftest import button, text_of
from tests.pages.mouse import open_plain_pad, open_sketchpad, png


@pytest.mark.slow
@pytest.mark.parametrize(
    ("picture", "fault"),
    [
        (png(np.zeros((8000, 8000), np.uint8)), "8000 × 8000 is too many pixels"),
        (b"no picture", "cannot be read as an image"),
    ],
)
def test_bad_pad_data_shows_an_error_and_keeps_the_drawing(root, finished_run, mouse, digits, picture, fault):
    copy_of(finished_run, root)
    mouse.draw(digits[3])
    app = open_plain_pad()
    mouse.picture = picture
    assert f"the drawing: {fault}" in text_of(app.run())
    mouse.picture = None
    assert "runtimes read 3" in text_of(app.run())
    mouse.draw(digits[4])
    assert "runtimes read 4" in text_of(app.run())


def test_data_that_is_not_base64_shows_an_error(root, finished_run, mouse):
    copy_of(finished_run, root)
    mouse.url = "data:image/png;base64"
    assert "the drawing: cannot be read as an image" in text_of(open_plain_pad())


@pytest.mark.slow
def test_a_white_picture_counts_as_blank(root, mouse, finished_run):
    copy_of(finished_run, root)
    mouse.draw(np.ones((280, 280)), strokes=0)
    assert "Draw a digit" in text_of(open_plain_pad())


@pytest.mark.slow
def test_several_digits_are_reported(root, mouse, finished_run):
    copy_of(finished_run, root)
    two = np.ones((280, 280))
    two[60:220, 80:95] = two[60:220, 180:195] = 0
    mouse.draw(two)
    text = text_of(open_plain_pad())
    assert "several digits: 2 separate shapes" in text
    assert "runtimes read" not in text


@pytest.mark.slow
def test_the_pad_is_white_with_a_black_pen_in_every_theme(root, mouse, finished_run):
    copy_of(finished_run, root)
    open_plain_pad()
    assert mouse.options["background_color"] == "#ffffff"
    assert mouse.options["stroke_color"] == "#000000"


def test_undo_and_clear_reset_the_pad(root, mouse, finished_run, digits):
    copy_of(finished_run, root)
    mouse.draw(digits[7], strokes=2)
    app = open_plain_pad()
    before = mouse.options["initial_drawing"]
    app.run()
    assert mouse.options["initial_drawing"] == before  # a new stroke does not reset the browser's pad
    button(app, "Undo").click().run()
    undone = mouse.options["initial_drawing"]
    assert undone["objects"] == mouse.strokes[:1]
    button(app, "Undo").click().run()  # before the browser has drawn the remaining stroke
    assert mouse.options["initial_drawing"]["objects"] == []
    assert button(app, "Undo").disabled
    mouse.draw(digits[4], strokes=2)
    again = mouse.options["initial_drawing"]
    button(app.run(), "Clear").click().run()
    assert mouse.options["initial_drawing"]["objects"] == []
    assert mouse.options["initial_drawing"] != again  # the browser ignores an unchanged value


def test_a_drawing_survives_a_visit_to_another_page(root, mouse, finished_run, digits):
    copy_of(finished_run, root)
    mouse.draw(digits[7], strokes=2)
    app = open_plain_pad()
    drawing = mouse.strokes
    app.switch_page("pages/compare.py").run()
    mouse.strokes, mouse.picture = [], None  # the browser's new pad has sent nothing yet
    app.switch_page("pages/sketchpad.py").run()
    assert mouse.options["initial_drawing"]["objects"] == drawing
    assert "runtimes read 7" in text_of(app)
    mouse.draw(digits[7], strokes=3)  # a third stroke that lies inside the ink
    button(app.run(), "Undo").click().run()
    assert mouse.options["initial_drawing"]["objects"] == mouse.strokes[:2]


def test_each_of_the_two_pads_keeps_its_drawing(root, mouse, finished_run, digits):
    copy_of(finished_run, root)
    app = open_sketchpad(7)
    assert "runtimes read 7" in text_of(app)
    mouse.draw(digits[4])
    app.toggle[0].set_value(True).run()
    assert not app.exception
    assert "runtimes read 4" in text_of(app)
    app.toggle[0].set_value(False).run()
    assert not app.exception
    assert "runtimes read 7" in text_of(app)
    app.toggle[0].set_value(True).run()
    assert mouse.options["initial_drawing"]["objects"] == mouse.strokes
