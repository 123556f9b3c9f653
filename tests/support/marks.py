"""Marks for parameters that `make test` leaves to `make test-slow`."""

import pytest


def few_quick(values, *chosen):
    """Mark all parameters as slow except the chosen ones, which stand for their family in the quick tests."""
    values = list(values)
    assert set(chosen) <= set(values)
    return [value if value in chosen else _slow(value) for value in values]


def some_slow(values, *chosen):
    """Mark the chosen parameters as slow."""
    return few_quick(values, *(value for value in values if value not in chosen))


def _slow(value):
    parts = value if isinstance(value, tuple) else (value,)  # a tuple is several parameters
    return pytest.param(*parts, marks=pytest.mark.slow)
