"""What the tests of com.microsoft's operators share: a model of one node, and the answers of both sides."""

import numpy as np
import onnxruntime
from onnx import helper, numpy_helper

from convnet_core.convert.intake import examine
from convnet_core.onnx_files.repairs import repair
from testing import node_tests

MS = "com.microsoft"


def draws(seed):
    """A generator, and functions of a shape that draw floats, uint8 and int8 by it: each file draws its own."""
    rng = np.random.default_rng(seed)
    return (
        rng,
        lambda *shape: rng.standard_normal(shape).astype(np.float32),
        lambda *shape: rng.integers(0, 256, shape).astype(np.uint8),
        lambda *shape: rng.integers(-128, 128, shape).astype(np.int8),
    )


def s(value):
    return np.float32(value)


def z(value, dtype=np.uint8):
    return dtype(value)


def model(op, inputs, fixed, outputs=1, domain=MS, **attributes):
    """One node. `inputs` are fed, [n, ...] where they are not in `fixed`; None where one is left out."""
    names = ["" if value is None else f"x{place}" for place, value in enumerate(inputs)]
    results = ["" if place in attributes.get("skipped", ()) else f"y{place}" for place in range(outputs)]
    attributes.pop("skipped", None)
    node = helper.make_node(op, names, results, domain=domain, **attributes)
    ports, weights = [], []
    for place, (name, value) in enumerate(zip(names, inputs, strict=True)):
        if not name:
            continue
        array = np.asarray(value)
        if place in fixed:
            weights.append(numpy_helper.from_array(array, name))
        else:
            shape = ["n", *array.shape[1:]] if array.ndim else []
            ports.append(helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), shape))
    outs = [helper.make_empty_tensor_value_info(name) for name in results if name]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(MS, 1)]
    return helper.make_model(helper.make_graph([node], "g", ports, outs, weights), opset_imports=opsets, ir_version=8)


def answers(proto, feeds):
    """What ONNX Runtime gives, and what the converted model gives."""
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    expected = session.run(None, feeds)
    intake = examine(proto, repair(proto))
    assert not intake.faults
    declared = [
        [dim.dim_value or dim.dim_param for dim in value.type.tensor_type.shape.dim] for value in proto.graph.output
    ]
    got = node_tests.run(proto, [feeds[value.name] for value in node_tests.fed(proto)])
    for shape, array in zip(declared, expected, strict=True):
        assert len(shape) == array.ndim
        assert all(size == real for size, real in zip(shape, array.shape, strict=True) if isinstance(size, int))
    return expected, got


def same(op, inputs, fixed=(), atol=1e-5, outputs=1, **attributes):
    """Floats within `atol` and a relative 1e-5; integers equal."""
    proto = model(op, inputs, fixed, outputs, **attributes)
    feeds = {value.name: np.asarray(inputs[int(value.name[1:])]) for value in node_tests.fed(proto)}
    for expected, got in zip(*answers(proto, feeds), strict=True):
        assert got.dtype == expected.dtype
        if expected.dtype.kind == "f":
            np.testing.assert_allclose(got, expected, rtol=1e-5, atol=atol)
        else:
            np.testing.assert_array_equal(got, expected)
