"""Random graphs through the converter, against onnx.reference.

CONVNET_ROUND_TRIPS=20000 looks at that many graphs instead of the suite's, and begins elsewhere each time.
"""

import os

import numpy as np
import onnx.printer
import pytest
from hypothesis import HealthCheck, given, note, settings

from testing import node_tests
from tests.convert.native.random_graphs import graphs

MANY = int(os.environ.get("CONVNET_ROUND_TRIPS", "0"))
ALLOWED = {"float16": 1e-2, "float32": 2e-5, "float64": 1e-7}
"""Of the largest value, or of 1 where that is less. Defaults of attributes are float32 numbers, and onnx 1.23.2's
reference computes Erf, and a constant of Gelu, in float32."""


def examples(count):
    checks = list(HealthCheck)
    return settings(
        max_examples=count, derandomize=not MANY, deadline=None, database=None, suppress_health_check=checks
    )


@examples(30)
@given(graphs())
def test_random_graphs_give_what_the_reference_gives(drawn):
    look_at(*drawn)


@pytest.mark.slow
@examples(MANY or 300)
@given(graphs())
def test_many_random_graphs_give_what_the_reference_gives(drawn):
    look_at(*drawn)


def look_at(model, feeds, expected):
    note(onnx.printer.to_text(model))
    inputs = [feeds[value.name] for value in node_tests.required_inputs(model)]
    for (name, value), result in zip(expected.items(), node_tests.run(model, inputs), strict=True):
        assert (result.dtype, result.shape) == (value.dtype, value.shape), name
        if value.dtype.kind != "f":
            np.testing.assert_array_equal(result, value, name)
        elif value.size:
            scale = max(1.0, float(np.abs(value).max()))
            np.testing.assert_allclose(result, value, rtol=0, atol=ALLOWED[value.dtype.name] * scale, err_msg=name)
