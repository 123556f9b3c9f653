"""Marks that are no digit, from which doubt is learned."""

import numpy as np

from convnet_core.data.not_digits import generate


def test_marks_look_like_the_networks_input_and_depend_on_the_seed_alone():
    marks = generate(200, 3)
    assert marks.shape == (200, 28, 28)
    assert marks.dtype == np.uint8
    assert (marks.max((1, 2)) > 100).all()
    np.testing.assert_array_equal(marks, generate(200, 3))
    assert (marks != generate(200, 4)).any()
