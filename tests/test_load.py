"""A few people before one server while a network trains: nothing fails, and nothing is left when they have gone.

`make soak` tries it with fifty of them, and asks how long they wait and whether the server's memory grows.
"""

import pytest

from tests.soak import load


@pytest.mark.slow
def test_sessions_see_no_error_and_leave_nothing_behind():
    errors, _, _, leftovers = load.trial(15, visitors=5)
    assert errors.ok, errors.found
    assert leftovers.ok, leftovers.found


def test_slope_of_what_grows_and_of_what_does_not(rng):
    seconds = [float(second) for second in range(600)]
    noise = rng.normal(500, 3, 600)
    gradient, error = load.slope(seconds, list(noise))
    assert abs(gradient) < 3 * error
    gradient, error = load.slope(seconds, [value + second / 10 for second, value in zip(seconds, noise, strict=True)])
    assert gradient == pytest.approx(6, abs=3 * error)
    assert gradient > 2 * error
