"""ONNX's own tests of single operators: all of them traced, and a random hundred as SavedModels in a fresh process."""

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
LEAST = 1700
"""That have to pass; ONNX Runtime 1.32 passes 1,508."""

SAVED = 100
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
    """A line for each test that fails and is not on the list, or passes and is."""
    found = []
    for test in tests:
        problem = problem_of(test)
        if problem is not None and test.name not in REASONS:
            found.append(f"{test.name} fails: {problem}")
        if problem is None and test.name in REASONS:
            found.append(f"{test.name} passes: take it off the list of expected failures")
    return found


def problem_of(test):
    """Why a test fails; None where it passes."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            harness.check(test)
    except Exception as error:  # of any kind
        return " ".join(str(error).split())[:200]
    return None


@pytest.mark.slow
def test_the_list_of_failures_names_tests_that_exist_and_is_short():
    names = {test.name for test in every_test()}
    others = {test.name for test in harness.node_tests(kinds=harness.OTHER_KINDS)}
    assert set(REASONS) <= names | others
    assert len(names - set(REASONS)) >= LEAST


@pytest.mark.slow
def test_the_tests_that_are_left_out_are_those_that_draw():
    """Dropout draws where it trains, by a ratio above 0: its third input and its second."""
    drawing = set()
    for test in load_model_tests(kind="node"):
        ops = {node.op_type for node in test.model.graph.node}
        inputs, _ = test.data_sets[0]
        if ops & RANDOM or ("Dropout" in ops and len(inputs) == 3 and all(inputs[1:])):
            drawing.add(test.name)
    assert drawing == RANDOM_TESTS


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
def test_a_random_hundred_saved_and_opened_by_plain_tensorflow(tmp_path):
    chosen = random.Random(0).sample([test for test in every_test() if test.name not in REASONS], 3 * SAVED)
    expected = {}
    for test in chosen:
        model, ((inputs, outputs), *_) = harness.load_test(test)
        plain = all(value.type.HasField("tensor_type") for value in (*model.graph.input, *model.graph.output))
        if len(expected) < SAVED and plain and inputs and all(map(storable, (*inputs, *outputs))):
            names = save(model, inputs, tmp_path / test.name)
            expected[test.name] = test, names, [np.asarray(value) for value in outputs]
    assert len(expected) == SAVED
    subprocess.run([sys.executable, "-c", READER, tmp_path], check=True, capture_output=True)
    for test, names, values in expected.values():
        outputs = np.load(tmp_path / test.name / "outputs.npz", allow_pickle=False)
        for name, value in zip(names, values, strict=True):
            harness.assert_same(outputs[name], value, test.rtol, test.atol)


def storable(value):
    """Whether a file of arrays can hold it."""
    dtype = np.asarray(value).dtype
    return dtype.kind in "fiub" and dtype.isbuiltin == 1  # not one of ml_dtypes


def save(model, inputs, folder):
    """A SavedModel and its inputs; gives the names of its outputs."""
    folder.mkdir()
    signature = Signature.of(model)
    function = converter.convert(model)
    saved_model.save(saved_model.trace(function, signature), folder / "saved_model")
    feeds = {port.tensorflow: value for port, value in zip(signature.inputs, inputs, strict=True)}
    np.savez(folder / "inputs.npz", **feeds)
    return [port.tensorflow for port in signature.outputs]
