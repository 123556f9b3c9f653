"""Random graphs through the converter, compared with onnx.reference.

CONVNET_ROUND_TRIPS=20000 tests that many graphs instead of the suite's, with a new seed each time.
"""

import os

import numpy as np
import onnx.printer
import pytest
from hypothesis import HealthCheck, given, note, settings

from testing import node_tests
from tests.convert.native.random_graphs import graphs

GRAPH_COUNT = int(os.environ.get("CONVNET_ROUND_TRIPS", "0"))
MAX_ERROR = {"float16": 1e-2, "float32": 2e-5, "float64": 1e-7}
"""Largest error, as a fraction of the largest value (at least 1). Not smaller for float64: attribute defaults are
float32, and the reference of onnx 1.23.2 computes Erf, and a constant of Gelu, in float32."""


def examples(count):
    checks = list(HealthCheck)
    return settings(
        max_examples=count, derandomize=not GRAPH_COUNT, deadline=None, database=None, suppress_health_check=checks
    )


@examples(30)
@given(graphs())
def test_random_graphs_match_the_reference(example):
    check_graph(*example)


@pytest.mark.slow
@examples(GRAPH_COUNT or 300)
@given(graphs())
def test_many_random_graphs_match_the_reference(example):
    check_graph(*example)


def check_graph(model, feeds, expected):
    note(onnx.printer.to_text(model))
    inputs = [feeds[value.name] for value in node_tests.required_inputs(model)]
    for (name, value), result in zip(expected.items(), node_tests.run(model, inputs), strict=True):
        assert (result.dtype, result.shape) == (value.dtype, value.shape), name
        if value.dtype.kind != "f":
            np.testing.assert_array_equal(result, value, name)
        elif value.size:
            scale = max(1.0, float(np.abs(value).max()))
            np.testing.assert_allclose(result, value, rtol=0, atol=MAX_ERROR[value.dtype.name] * scale, err_msg=name)
