"""ONNX's node tests: all of them traced, and a random hundred as SavedModels in a fresh process."""

import functools
import random
import subprocess
import sys
import warnings

import numpy as np
import pytest
from onnx.backend.test.loader import load_model_tests

from convnet_core.convert.native import converter
from convnet_core.convert.signature import Signature
from convnet_core.convert.targets import saved_model
from testing import node_tests as harness
from testing.expected_failures import RANDOM_TESTS, REASONS
from tests.support.marks import few_quick

PARTS = 8
MIN_PASSES = 1700
"""Node tests that must pass; ONNX Runtime 1.32 passes 1,508."""

SAVED_COUNT = 100
RANDOM = {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}


@functools.cache
def every_test():
    return list(harness.node_tests())


@pytest.mark.parametrize("part", few_quick(range(PARTS), 0))
def test_onnx_node_tests(part):
    assert surprises(every_test()[part::PARTS]) == []


@pytest.mark.parametrize("kind", few_quick(harness.OTHER_KINDS, "simple"))
def test_onnx_tests_of_small_models(kind):
    tests = list(harness.node_tests(kinds=(kind,)))
    assert len(tests) > 20
    assert surprises(tests) == []


def surprises(tests):
    """One line for each unexpected failure and each unexpected pass."""
    lines = []
    for test in tests:
        problem = problem_of(test)
        if problem is not None and test.name not in REASONS:
            lines.append(f"{test.name} fails: {problem}")
        if problem is None and test.name in REASONS:
            lines.append(f"{test.name} passes: take it off the list of expected failures")
    return lines


def problem_of(test):
    """Why a test fails, or None if it passes."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            harness.check(test)
    except Exception as error:  # of any kind
        return " ".join(str(error).split())[:200]
    return None


@pytest.mark.slow
def test_the_expected_failures_exist_and_are_few():
    names = {test.name for test in every_test()}
    others = {test.name for test in harness.node_tests(kinds=harness.OTHER_KINDS)}
    assert set(REASONS) <= names | others
    assert len(names - set(REASONS)) >= MIN_PASSES


@pytest.mark.slow
def test_the_skipped_tests_are_those_that_draw_random_numbers():
    """Dropout draws in training mode (its third input) if its ratio (the second input) is above 0."""
    random_tests = set()
    for test in load_model_tests(kind="node"):
        ops = {node.op_type for node in test.model.graph.node}
        inputs, _ = test.data_sets[0]
        if ops & RANDOM or ("Dropout" in ops and len(inputs) == 3 and all(inputs[1:])):
            random_tests.add(test.name)
    assert random_tests == RANDOM_TESTS


READER = """
import sys
from pathlib import Path
import numpy as np
import tensorflow as tf

for folder in sorted(Path(sys.argv[1]).iterdir()):
    function = tf.saved_model.load(str(folder / "saved_model")).signatures["serving_default"]
    feeds = {name: tf.constant(value) for name, value in np.load(folder / "inputs.npz").items()}
    np.savez(folder / "outputs.npz", **{name: value.numpy() for name, value in function(**feeds).items()})
"""


@pytest.mark.slow
def test_a_random_hundred_run_as_saved_models_in_plain_tensorflow(tmp_path):
    chosen = random.Random(0).sample([test for test in every_test() if test.name not in REASONS], 3 * SAVED_COUNT)
    expected = {}
    for test in chosen:
        model, ((inputs, outputs), *_) = harness.load_test(test)
        plain = all(value.type.HasField("tensor_type") for value in (*model.graph.input, *model.graph.output))
        if len(expected) < SAVED_COUNT and plain and inputs and all(map(storable, (*inputs, *outputs))):
            names = save(model, inputs, tmp_path / test.name)
            expected[test.name] = test, names, [np.asarray(value) for value in outputs]
    assert len(expected) == SAVED_COUNT
    subprocess.run([sys.executable, "-c", READER, tmp_path], check=True, capture_output=True)
    for test, names, values in expected.values():
        outputs = np.load(tmp_path / test.name / "outputs.npz", allow_pickle=False)
        for name, value in zip(names, values, strict=True):
            harness.assert_same(outputs[name], value, test.rtol, test.atol)


def storable(value):
    """Whether an .npz file can store it."""
    dtype = np.asarray(value).dtype
    return dtype.kind in "fiub" and dtype.isbuiltin == 1  # not one of ml_dtypes


def save(model, inputs, folder):
    """Write a SavedModel and its inputs; return the names of its outputs."""
    folder.mkdir()
    signature = Signature.of(model)
    function = converter.convert(converter.read(model))
    saved_model.save(saved_model.trace(function, signature), folder / "saved_model")
    feeds = {port.tensorflow: value for port, value in zip(signature.inputs, inputs, strict=True)}
    np.savez(folder / "inputs.npz", **feeds)
    return [port.tensorflow for port in signature.outputs]
