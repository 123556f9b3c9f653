"""What `make test` leaves to `make test-slow`."""

import pytest


def few_quick(values, *chosen):
    """Parameters of a test, of which the chosen ones alone are not slow: one or two of a family stand for it."""
    values = list(values)
    assert set(chosen) <= set(values)
    return [value if value in chosen else _slow(value) for value in values]


def some_slow(values, *chosen):
    """Parameters of a test, of which the chosen ones are slow."""
    return few_quick(values, *(value for value in values if value not in chosen))


def _slow(value):
    parts = value if isinstance(value, tuple) else (value,)  # of several parameters
    return pytest.param(*parts, marks=pytest.mark.slow)
