"""Random operators: their distributions, and that each call draws new numbers."""

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


def test_every_handler_that_draws_numbers_is_marked_random():
    """Without the mark, a node with constant inputs would be folded to a constant."""
    handlers = {handler.function: handler for handlers in all_handlers().values() for handler in handlers}
    files = Path(native.__file__).parent.rglob("*.py")
    modules = {file.stem for file in files if "tf.random" in file.read_text(encoding="utf-8")}
    random_handlers = [item for function, item in handlers.items() if "tf.random" in inspect.getsource(function)]
    assert {item.function.__module__.rpartition(".")[2] for item in random_handlers} == modules
    assert all(item.random for item in random_handlers)
    assert random_handlers == [item for item in handlers.values() if item.random]


def function_of(op, inputs=(), outputs=(FLOAT,), **attributes):
    """The traced function of one node; `inputs` are (dtype, shape), `outputs` dtypes.

    It is seeded: its first calls draw the same numbers in every test run.
    """
    tf.random.set_seed(0)
    names = [f"x{index}" for index in range(len(inputs))]
    results = [f"y{index}" for index in range(len(outputs))]
    node = oh.make_node(op, names, results, **attributes)
    input_infos = [oh.make_tensor_value_info(name, *kind) for name, kind in zip(names, inputs, strict=True)]
    output_infos = [oh.make_tensor_value_info(name, dtype, None) for name, dtype in zip(results, outputs, strict=True)]
    graph = oh.make_graph([node], "random", input_infos, output_infos)
    return trace(oh.make_model(graph, opset_imports=[oh.make_opsetid("", 18)], ir_version=10))


def draw_twice(function, *inputs):
    """Call the function twice, check that the outputs differ, and return the first."""
    first, second = ([value.numpy() for value in function(*[tf.constant(value) for value in inputs])] for _ in range(2))
    assert any(not np.array_equal(one, other) for one, other in zip(first, second, strict=True))
    return first


def test_normal():
    (y,) = draw_twice(function_of("RandomNormal", shape=[MANY], mean=3.0, scale=2.0))
    assert y.dtype == np.float32
    assert abs(y.mean() - 3) < 0.03
    assert abs(y.std() - 2) < 0.03


def test_uniform_like():
    (y,) = draw_twice(
        function_of("RandomUniformLike", [(FLOAT, [MANY])], [DOUBLE], low=-1.0, high=3.0, dtype=DOUBLE),
        np.zeros(MANY, np.float32),
    )
    assert y.dtype == np.float64
    assert y.min() >= -1
    assert y.max() < 3
    assert abs(y.mean() - 1) < 0.03


@pytest.mark.parametrize("attributes", [{}, {"seed": 1.0}, {"dtype": DOUBLE}])
def test_bernoulli(attributes):
    probabilities = np.repeat(np.array([0.0, 0.2, 0.7, 1.0], np.float32), MANY // 4)
    (y,) = draw_twice(
        function_of("Bernoulli", [(FLOAT, [MANY])], [attributes.get("dtype", FLOAT)], **attributes), probabilities
    )
    assert y.dtype == (np.float64 if attributes.get("dtype") else np.float32)
    np.testing.assert_allclose(y.reshape(4, -1).mean(1), [0, 0.2, 0.7, 1], atol=0.02)
    assert set(np.unique(y)) == {0, 1}


def test_multinomial():
    probabilities = np.log(np.array([[0.1, 0.6, 0.3]], np.float32))
    (y,) = draw_twice(
        function_of("Multinomial", [(FLOAT, [1, 3])], [onnx.TensorProto.INT32], sample_size=MANY), probabilities
    )
    assert y.dtype == np.int32
    np.testing.assert_allclose(np.bincount(y[0], minlength=3) / MANY, [0.1, 0.6, 0.3], atol=0.02)


def test_dropout_while_training():
    inputs = [(FLOAT, [MANY]), (FLOAT, []), (BOOL, [])]
    x = np.ones(MANY, np.float32)
    y, mask = draw_twice(function_of("Dropout", inputs, [FLOAT, BOOL]), x, np.float32(0.75), np.bool_(True))
    assert abs(mask.mean() - 0.25) < 0.02
    np.testing.assert_allclose(y, np.where(mask, 4.0, 0.0))
