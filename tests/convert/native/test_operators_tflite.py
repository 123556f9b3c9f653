"""Operators of vision networks and transformers become TFLite built-ins with the same results."""

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from convnet_core.convert.native.lazy_tensorflow import tf
from testing.node_tests import trace
from tests.convert.native.test_operators import EXTREMES, draw, model_of

FINITE = EXTREMES[np.isfinite(EXTREMES)]


def compare(op, inputs, tolerance=1e-6, constants=(), **attributes):
    model = model_of(op, inputs, constants=constants, **attributes)
    for value, array in zip(model.graph.input, [v for i, v in enumerate(inputs) if i not in constants], strict=True):
        for dim, size in zip(value.type.tensor_type.shape.dim, array.shape, strict=True):
            dim.dim_value = size
    concrete = trace(model)
    lite = tf.lite.TFLiteConverter.from_concrete_functions([concrete], concrete.converted_function).convert()
    interpreter = Interpreter(model_content=lite)
    interpreter.allocate_tensors()
    feeds = [value for index, value in enumerate(inputs) if index not in constants]
    for detail, value in zip(
        sorted(interpreter.get_input_details(), key=lambda item: item["name"]), feeds, strict=True
    ):
        interpreter.set_tensor(detail["index"], value)
    interpreter.invoke()
    result = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    expected = np.asarray(concrete(*map(tf.constant, feeds))[0])
    np.testing.assert_allclose(result, expected, rtol=0, atol=tolerance * max(1, np.abs(expected).max()))


@pytest.mark.parametrize(
    "op",
    ["Elu", "Selu", "Celu", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Mish", "Softplus", "Softsign", "Shrink",
     "Sigmoid", "Round", "Sign", "Reciprocal", "Sqrt", "IsNaN", "Softmax", "LogSoftmax"],
)  # fmt: skip
def test_functions(op):
    x = np.abs(FINITE) + 1 if op in ("Reciprocal", "Sqrt") else FINITE
    compare(op, [x[:12].reshape(3, 4) if "Softmax" in op else x], 2e-5 if "Softmax" in op else 1e-6)


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("bhqd,bhkd->bhqk", [(2, 3, 4, 5), (2, 3, 6, 5)]),
        ("bqhd,bkhd->bhqk", [(2, 4, 3, 5), (2, 6, 3, 5)]),
        ("bij->ji", [(2, 3, 4)]),
        ("bij,bij->b", [(2, 3, 4), (2, 3, 4)]),
        ("bhwc,hkc->bhwk", [(2, 3, 4, 5), (3, 6, 5)]),
    ],
)
def test_einsum(equation, shapes):
    compare("Einsum", [draw(*shape) for shape in shapes], equation=equation)


@pytest.mark.parametrize("op", ["ReduceMean", "ReduceL2", "ReduceMax", "ReduceLogSumExp", "ReduceSumSquare"])
def test_reductions(op):
    compare(op, [draw(2, 3, 4), np.array([1, -1])], constants=(1,))


def test_other_operators():
    compare("Clip", [draw(3, 4), np.float32(0), np.float32(6)], constants=(1, 2))
    compare("CumSum", [draw(3, 4), np.array(1)], constants=(1,), exclusive=1)
    compare("TopK", [draw(3, 4), np.array([2])], constants=(1,))
    compare("TopK", [draw(3, 4), np.array([2])], constants=(1,), largest=0, axis=0)
    compare("ArgMax", [draw(3, 4)], select_last_index=1)
    compare("Trilu", [draw(3, 4)])
    compare("PRelu", [draw(3, 4), draw(4)])
    compare("MatMul", [draw(2, 3, 4), draw(4, 5)], constants=(1,))
    compare("Where", [draw(3, 4) > 0, draw(3, 4), draw(4)], constants=(2,))
