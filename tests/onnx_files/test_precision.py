"""The precision in which a model computes each output, derived from its graph."""

import numpy as np
import pytest
from onnx import TensorProto as T
from onnx import helper, numpy_helper

from convnet_core.config.stages import CompareConfig
from convnet_core.onnx_files.precision import output_precisions, tolerance


def node(op, inputs, outputs, **attributes):
    return helper.make_node(op, inputs, outputs, **attributes)


def model(nodes, outputs, weights=(), dtype=T.FLOAT, opset=19):
    x = helper.make_tensor_value_info("x", dtype, ["n", 4])
    ports = [helper.make_tensor_value_info(name, kind, None) for name, kind in outputs.items()]
    initializers = [numpy_helper.from_array(value, name) for name, value in dict(weights).items()]
    graph = helper.make_graph(nodes, "g", [x], ports, initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def cast_and_back(dtype):
    """Nodes that cast x to a dtype, add it to itself, and cast back."""
    return [
        node("Cast", ["x"], ["half"], to=dtype),
        node("Add", ["half", "half"], ["sum"]),
        node("Cast", ["sum"], ["y"], to=T.FLOAT),
    ]


@pytest.mark.parametrize(("dtype", "name"), [(T.FLOAT16, "float16"), (T.BFLOAT16, "bfloat16"), (T.DOUBLE, "float32")])
def test_half_precision_inside_counts_even_if_the_outputs_are_float32(dtype, name):
    assert output_precisions(model(cast_and_back(dtype), {"y": T.FLOAT})) == {"y": name}


def test_an_output_that_half_precision_does_not_reach_stays_float32():
    nodes = [*cast_and_back(T.FLOAT16), node("Relu", ["x"], ["z"])]
    assert output_precisions(model(nodes, {"y": T.FLOAT, "z": T.FLOAT})) == {"y": "float16", "z": "float32"}


def test_weights_that_are_only_stored_in_half_precision_do_not_count():
    nodes = [node("Cast", ["w"], ["wide"], to=T.FLOAT), node("MatMul", ["x", "wide"], ["y"])]
    assert output_precisions(model(nodes, {"y": T.FLOAT}, {"w": np.ones((4, 2), np.float16)})) == {"y": "float32"}


def test_constants_that_are_only_stored_in_half_precision_do_not_count():
    weights = numpy_helper.from_array(np.ones((4, 2), np.float16))
    nodes = [
        node("Constant", [], ["w"], value=weights),
        node("Cast", ["w"], ["wide"], to=T.FLOAT),
        node("MatMul", ["x", "wide"], ["y"]),
    ]
    assert output_precisions(model(nodes, {"y": T.FLOAT})) == {"y": "float32"}


def test_a_quantized_activation_counts_and_quantized_weights_do_not():
    scale, zero = {"s": np.float32(0.1)}, {"z": np.uint8(128)}
    activation = [node("QuantizeLinear", ["x", "s", "z"], ["q"]), node("DequantizeLinear", ["q", "s", "z"], ["y"])]
    weight = [node("DequantizeLinear", ["w", "s"], ["d"]), node("MatMul", ["x", "d"], ["y"])]
    assert output_precisions(model(activation, {"y": T.FLOAT}, scale | zero)) == {"y": "uint8"}
    assert output_precisions(model(weight, {"y": T.FLOAT}, scale | {"w": np.ones((4, 2), np.int8)})) == {"y": "float32"}


def test_integer_inputs_without_quantization_do_not_count():
    nodes = [node("Cast", ["x"], ["y"], to=T.FLOAT)]
    assert output_precisions(model(nodes, {"y": T.FLOAT}, dtype=T.UINT8)) == {"y": "float32"}


def test_half_precision_in_an_inner_graph_counts():
    inner = helper.make_graph(
        [
            node("Cast", ["x"], ["half"], to=T.FLOAT16),
            node("Sqrt", ["half"], ["root"]),
            node("Cast", ["root"], ["b"], to=T.FLOAT),
        ],
        "branch",
        [],
        [helper.make_tensor_value_info("b", T.FLOAT, None)],
    )
    nodes = [node("If", ["always"], ["y"], then_branch=inner, else_branch=inner)]
    assert output_precisions(model(nodes, {"y": T.FLOAT}, {"always": np.bool_(True)})) == {"y": "float16"}


def test_the_tolerance_depends_on_the_precision_and_on_the_settings():
    config = CompareConfig()
    assert tolerance(config) == (config.rtol, config.atol)
    assert tolerance(config, "float16") == pytest.approx((1e-2, 1e-3))
    assert tolerance(config, "bfloat16") == tolerance(config, "uint8") == pytest.approx((8e-2, 8e-3))
    assert tolerance(config.replace(rtol=1e-6, atol=1e-6), "float16") == pytest.approx((1e-4, 1e-4))
    assert tolerance(config.replace(rtol=0.5), "bfloat16")[0] == 0.5
