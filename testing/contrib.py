"""Helpers for testing com.microsoft operators: one-node models, run by ONNX Runtime and by the converted model."""

import numpy as np
import onnxruntime
from onnx import helper, numpy_helper

from convnet_core.convert.loaded_model import LoadedModel
from convnet_core.onnx_files.repairs import repair
from testing import node_tests

MS = "com.microsoft"


def random_arrays(seed):
    """A seeded generator, and functions of a shape that draw float32, uint8 and int8 arrays from it."""
    rng = np.random.default_rng(seed)
    return (
        rng,
        lambda *shape: np.asarray(rng.standard_normal(shape), np.float32),
        lambda *shape: rng.integers(0, 256, shape).astype(np.uint8),
        lambda *shape: rng.integers(-128, 128, shape).astype(np.int8),
    )


def s(value):
    """A scale."""
    return np.float32(value)


def z(value, dtype=np.uint8):
    """A zero point."""
    return dtype(value)


def model(op, inputs, fixed, outputs=1, domain=MS, **attributes):
    """A one-node model.

    `inputs` are arrays, or None for an omitted input. Those whose index is in `fixed` become initializers; the rest
    become graph inputs [n, ...]. `skipped` (in `attributes`) lists outputs that the node leaves out.
    """
    names = ["" if value is None else f"x{index}" for index, value in enumerate(inputs)]
    results = ["" if index in attributes.get("skipped", ()) else f"y{index}" for index in range(outputs)]
    attributes.pop("skipped", None)
    node = helper.make_node(op, names, results, domain=domain, **attributes)
    ports, weights = [], []
    for index, (name, value) in enumerate(zip(names, inputs, strict=True)):
        if not name:
            continue
        array = np.asarray(value)
        if index in fixed:
            weights.append(numpy_helper.from_array(array, name))
        else:
            shape = ["n", *array.shape[1:]] if array.ndim else []
            ports.append(helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), shape))
    outs = [helper.make_empty_tensor_value_info(name) for name in results if name]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(MS, 1)]
    return helper.make_model(helper.make_graph([node], "g", ports, outs, weights), opset_imports=opsets, ir_version=8)


def run_both(proto, feeds):
    """The outputs of ONNX Runtime and of the converted model."""
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    expected = session.run(None, feeds)
    assert not LoadedModel(proto, tuple(repair(proto))).unsupported
    declared = [
        [dim.dim_value or dim.dim_param for dim in value.type.tensor_type.shape.dim] for value in proto.graph.output
    ]
    actual = node_tests.run(proto, [feeds[value.name] for value in node_tests.required_inputs(proto)])
    for shape, array in zip(declared, expected, strict=True):
        assert len(shape) == array.ndim
        assert all(
            declared_size == size
            for declared_size, size in zip(shape, array.shape, strict=True)
            if isinstance(declared_size, int)
        )
    return expected, actual


def assert_same_answers(op, inputs, fixed=(), atol=1e-5, outputs=1, **attributes):
    """Both sides agree: floats within `atol` and a relative 1e-5, integers exactly."""
    proto = model(op, inputs, fixed, outputs, **attributes)
    feeds = {value.name: np.asarray(inputs[int(value.name[1:])]) for value in node_tests.required_inputs(proto)}
    for expected, actual in zip(*run_both(proto, feeds), strict=True):
        assert actual.dtype == expected.dtype
        if expected.dtype.kind == "f":
            np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=atol)
        else:
            np.testing.assert_array_equal(actual, expected)
