"""Operators that draw numbers: judged by their distribution, and by that they draw anew in each call."""

import inspect
from pathlib import Path

import numpy as np
import onnx
import onnx.helper as oh
import pytest

from convnet_core.convert import native
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.registry import all_handlers
from testing.node_tests import trace

MANY = 200_000
FLOAT, DOUBLE, BOOL = onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.BOOL


def test_every_handler_that_draws_numbers_says_so():
    """What does not is computed once while converting where its inputs are constants."""
    handlers = {handler.function: handler for handlers in all_handlers().values() for handler in handlers}
    files = Path(native.__file__).parent.rglob("*.py")
    places = {file.stem for file in files if "tf.random" in file.read_text(encoding="utf-8")}
    drawing = [item for function, item in handlers.items() if "tf.random" in inspect.getsource(function)]
    assert {item.function.__module__.rpartition(".")[2] for item in drawing} == places
    assert all(item.random for item in drawing)
    assert drawing == [item for item in handlers.values() if item.random]


def function_of(op, inputs=(), outputs=(FLOAT,), **attributes):
    """The traced function of one node; `inputs` are (dtype, shape), `outputs` dtypes. Its first calls always draw the
    same."""
    tf.random.set_seed(0)
    names = [f"x{place}" for place in range(len(inputs))]
    results = [f"y{place}" for place in range(len(outputs))]
    node = oh.make_node(op, names, results, **attributes)
    given = [oh.make_tensor_value_info(name, *kind) for name, kind in zip(names, inputs, strict=True)]
    made = [oh.make_tensor_value_info(name, dtype, None) for name, dtype in zip(results, outputs, strict=True)]
    graph = oh.make_graph([node], "random", given, made)
    return trace(oh.make_model(graph, opset_imports=[oh.make_opsetid("", 18)], ir_version=10))


def drawn(function, *inputs):
    """What two calls give; asserts that they differ."""
    first, second = ([value.numpy() for value in function(*[tf.constant(value) for value in inputs])] for _ in range(2))
    assert any(not np.array_equal(one, other) for one, other in zip(first, second, strict=True))
    return first


def test_normal():
    (y,) = drawn(function_of("RandomNormal", shape=[MANY], mean=3.0, scale=2.0))
    assert y.dtype == np.float32
    assert abs(y.mean() - 3) < 0.03
    assert abs(y.std() - 2) < 0.03


def test_uniform_like():
    (y,) = drawn(
        function_of("RandomUniformLike", [(FLOAT, [MANY])], [DOUBLE], low=-1.0, high=3.0, dtype=DOUBLE),
        np.zeros(MANY, np.float32),
    )
    assert y.dtype == np.float64
    assert y.min() >= -1
    assert y.max() < 3
    assert abs(y.mean() - 1) < 0.03


@pytest.mark.parametrize("attributes", [{}, {"seed": 1.0}, {"dtype": DOUBLE}])
def test_bernoulli(attributes):
    chances = np.repeat(np.array([0.0, 0.2, 0.7, 1.0], np.float32), MANY // 4)
    (y,) = drawn(function_of("Bernoulli", [(FLOAT, [MANY])], [attributes.get("dtype", FLOAT)], **attributes), chances)
    assert y.dtype == (np.float64 if attributes.get("dtype") else np.float32)
    np.testing.assert_allclose(y.reshape(4, -1).mean(1), [0, 0.2, 0.7, 1], atol=0.02)
    assert set(np.unique(y)) == {0, 1}


def test_multinomial():
    chances = np.log(np.array([[0.1, 0.6, 0.3]], np.float32))
    (y,) = drawn(function_of("Multinomial", [(FLOAT, [1, 3])], [onnx.TensorProto.INT32], sample_size=MANY), chances)
    assert y.dtype == np.int32
    np.testing.assert_allclose(np.bincount(y[0], minlength=3) / MANY, [0.1, 0.6, 0.3], atol=0.02)


def test_dropout_while_training():
    inputs = [(FLOAT, [MANY]), (FLOAT, []), (BOOL, [])]
    x = np.ones(MANY, np.float32)
    y, mask = drawn(function_of("Dropout", inputs, [FLOAT, BOOL]), x, np.float32(0.75), np.bool_(True))
    assert abs(mask.mean() - 0.25) < 0.02
    np.testing.assert_allclose(y, np.where(mask, 4.0, 0.0))
