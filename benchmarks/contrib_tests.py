"""Collect the test suite's com.microsoft models, with inputs and ONNX Runtime's answers."""

from __future__ import annotations

import contextlib
import io
from typing import Any
from unittest import mock

import onnx
import onnxruntime
import pytest

from benchmarks.node_tests import Test
from convnet_core.onnx_files.repairs import repair
from testing import contrib
from testing import node_tests as harness

_FILES = [f"tests/convert/native/test_contrib_{name}.py" for name in ("attention", "fused", "quantized")]


def contrib_tests() -> list[tuple[str, Test]]:
    """Pairs of an operator and a test of it."""
    collected: list[tuple[str, Test]] = []

    def collect(model: onnx.ModelProto, feeds: dict[str, Any]) -> tuple[Any, Any]:
        session = onnxruntime.InferenceSession(model.SerializeToString())
        expected = session.run(None, feeds)
        arrays = [feeds[value.name] for value in session.get_inputs()]
        repair(model)
        op = model.graph.node[0].op_type
        collected.append((op, Test(op, model, [(arrays, expected)], atol=1e-5)))
        return expected, expected

    with (
        mock.patch.object(contrib, "run_both", collect),
        mock.patch.object(harness, "run"),  # TensorFlow must not run here: later forks would hang
        contextlib.redirect_stdout(io.StringIO()),
    ):
        pytest.main(["-q", "-p", "no:cacheprovider", *_FILES])
    return collected
