"""The pad of the sketchpad: what it shows, what it sends, what is kept of it."""

import numpy as np
import pytest

from tests.conftest import copy_of
from tests.pages.conftest import button, text_of
from tests.pages.mouse import opened, png


@pytest.mark.slow
@pytest.mark.parametrize(
    ("picture", "fault"),
    [
        (png(np.zeros((8000, 8000), np.uint8)), "8000 × 8000 is too many pixels"),
        (b"no picture", "cannot be read as an image"),
    ],
)
def test_what_no_pad_sends_is_explained_and_the_drawing_stays(root, finished_run, mouse, drawn, picture, fault):
    copy_of(finished_run, root)
    mouse.draws(drawn[3])
    app = opened()
    mouse.picture = picture
    assert f"the drawing: {fault}" in text_of(app.run())
    mouse.picture = None
    assert "All runtimes read 3" in text_of(app.run())
    mouse.draws(drawn[4])
    assert "All runtimes read 4" in text_of(app.run())


def test_what_is_not_base64_is_explained(root, finished_run, mouse):
    copy_of(finished_run, root)
    mouse.url = "data:image/png;base64"
    assert "the drawing: cannot be read as an image" in text_of(opened())


@pytest.mark.slow
def test_white_paper_is_a_blank_pad(root, mouse, finished_run):
    copy_of(finished_run, root)
    mouse.draws(np.ones((280, 280)), strokes=0)
    assert "Draw something" in text_of(opened())


@pytest.mark.slow
def test_several_digits_are_said(root, mouse, finished_run):
    copy_of(finished_run, root)
    two = np.ones((280, 280))
    two[60:220, 80:95] = two[60:220, 180:195] = 0
    mouse.draws(two)
    said = text_of(opened())
    assert "several digits: 2 separate shapes" in said
    assert "All runtimes read" not in said


@pytest.mark.slow
def test_the_pad_is_white_paper_with_a_black_pen_in_every_theme(root, mouse, finished_run):
    copy_of(finished_run, root)
    opened()
    assert mouse.asked["background_color"] == "#ffffff"
    assert mouse.asked["stroke_color"] == "#000000"


def test_undo_and_clear_have_the_pad_begin_again(root, mouse, finished_run, drawn):
    copy_of(finished_run, root)
    mouse.draws(drawn[7], strokes=2)
    app = opened()
    before = mouse.asked["initial_drawing"]
    app.run()
    assert mouse.asked["initial_drawing"] == before  # a stroke alone leaves the browser's pad as it is
    button(app, "Undo").click().run()
    undone = mouse.asked["initial_drawing"]
    assert undone["objects"] == mouse.strokes[:1]
    button(app, "Undo").click().run()  # before the browser has drawn the one stroke that is left
    assert mouse.asked["initial_drawing"]["objects"] == []
    assert button(app, "Undo").disabled
    mouse.draws(drawn[4], strokes=2)
    again = mouse.asked["initial_drawing"]
    button(app.run(), "Clear").click().run()
    assert mouse.asked["initial_drawing"]["objects"] == []
    assert mouse.asked["initial_drawing"] != again  # else the browser would not look at it again


def test_a_drawing_outlives_a_visit_to_another_page(root, mouse, finished_run, drawn):
    copy_of(finished_run, root)
    mouse.draws(drawn[7], strokes=2)
    app = opened()
    drawing = mouse.strokes
    app.switch_page("pages/compare.py").run()
    mouse.strokes, mouse.picture = [], None  # the browser's pad is a new one, and has sent nothing yet
    app.switch_page("pages/sketchpad.py").run()
    assert mouse.asked["initial_drawing"]["objects"] == drawing
    assert "All runtimes read 7" in text_of(app)
