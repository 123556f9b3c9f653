"""Drawings as strokes: their pictures, and what a browser must not send."""

import math

import numpy as np
import pytest

from convnet_core.data.pen import SIDE, example, render, strokes_of
from convnet_core.errors import DataError


def test_strokes_are_drawn_black_on_white_with_round_ends():
    picture = render(strokes_of([{"width": 20, "points": [40, 140, 240, 140]}]))
    assert picture.shape == (SIDE, SIDE)
    assert picture.dtype == np.float32
    assert (picture[140, 31:249] == 0).all()
    assert (picture[155] == 1).all()
    assert picture[131, 31] == 1  # the corner that a square end would fill


def test_a_single_point_is_a_dot():
    picture = render(strokes_of([{"width": 20, "points": [140, 140]}]))
    assert 250 < (picture == 0).sum() < 400


def test_points_outside_the_paper_are_moved_to_its_edge():
    (stroke,) = strokes_of([{"width": 1e9, "points": [-5, 10, 1e300, 400]}])
    assert stroke.points == ((0, 10), (SIDE, SIDE))
    assert stroke.width < SIDE


@pytest.mark.parametrize(
    "value",
    [
        None,
        7,
        "strokes",
        [[1, 2]],
        [{"points": [1, 2]}],
        [{"width": 3, "points": []}],
        [{"width": 3, "points": [1, 2, 3]}],
        [{"width": 3, "points": [1, math.nan]}],
        [{"width": math.inf, "points": [1, 2]}],
        [{"width": 3, "points": [1, "x"]}],
        [{"width": 10**400, "points": [1, 2]}],
    ],
)
def test_anything_else_is_refused(value):
    with pytest.raises(DataError, match="cannot be read"):
        strokes_of(value)


def test_endless_scribbles_are_refused():
    with pytest.raises(DataError, match="too many"):
        strokes_of([{"width": 3, "points": [1, 2] * 50_000}])


def test_an_example_of_each_digit_is_a_drawing_in_the_middle_of_the_paper():
    pictures = [render(strokes_of(example(digit))) for digit in range(10)]
    for picture in pictures:
        rows, columns = np.nonzero(picture < 0.5)
        assert rows.min() > 20
        assert columns.min() > 20
        assert max(rows.max(), columns.max()) < SIDE - 20
    assert len({picture.tobytes() for picture in pictures}) == 10
