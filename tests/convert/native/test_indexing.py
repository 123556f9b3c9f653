"""Slices, gathers, scatters and pads with all dimensions dynamic: cases that ONNX's node tests leave out."""

import numpy as np
import onnxruntime
import pytest
from onnx import reference

from testing.node_tests import run
from tests.convert.native.test_operators import compare, draw, feeds_of, model_of

CUBE = draw(3, 4, 5)


def random_indices(*shape, low, high, seed=0):
    return np.random.default_rng(seed).integers(low, high, shape)


@pytest.mark.parametrize(
    ("starts", "ends", "axes", "steps"),
    [
        ([2, -1], [-9, 0], [0, 2], [-1, -2]),
        ([-(2**63)], [2**63 - 1], [1], [3]),
        ([2**31], [-(2**63)], [-1], [-1]),
        ([5, 1], [9, 1], [0, 1], [1, 1]),  # empty
    ],
)
@pytest.mark.parametrize("constants", [(1, 2, 3, 4), ()], ids=["constant", "computed"])
def test_slice(starts, ends, axes, steps, constants):
    inputs = [CUBE, *(np.array(item, np.int64) for item in (starts, ends, axes, steps))]
    model = model_of("Slice", inputs, 1, 13, constants)
    for value in model.graph.input[1:]:
        value.type.tensor_type.shape.dim[0].dim_value = len(starts)
    feeds = feeds_of(inputs, constants)
    (expected,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, feeds)
    np.testing.assert_array_equal(run(model, list(feeds.values()))[0], expected)


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge", "wrap"])
@pytest.mark.parametrize("pads", [[1, 0, 2, 0, 1, 1], [0, -1, 2, 1, 0, -2]], ids=["more", "less"])
@pytest.mark.parametrize("dtype", [np.float32, np.int8, np.bool_])
def test_pad(mode, pads, dtype):
    compare("Pad", CUBE.astype(dtype), np.int64(pads), opset=19, constants=(1,), mode=mode)


@pytest.mark.parametrize("op", ["Gather", "GatherElements"])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_negative_indices(op, axis):
    size = CUBE.shape[axis]
    shape = [2, 2] if op == "Gather" else [2 if dim == axis % 3 else count for dim, count in enumerate(CUBE.shape)]
    compare(op, CUBE, random_indices(*shape, low=-size, high=size), opset=13, axis=axis)
    compare(op, CUBE, random_indices(*shape, low=-size, high=size, seed=1), opset=13, constants=(1,), axis=axis)
    compare(op, CUBE, random_indices(*shape, low=-size, high=size), opset=13, constants=(0,), axis=axis)


@pytest.mark.parametrize("reduction", ["none", "add", "mul", "max", "min"])
@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_scatter_with_repeated_indices(reduction, dtype):
    repeat = reduction != "none"  # without a reduction, repeated indices are undefined
    rows = np.array([[0], [-3 if repeat else 1]])
    data, updates = draw(3, 4, 5).astype(dtype), np.round(draw(2, 4, 5)).astype(dtype)
    compare("ScatterND", data, rows, updates, opset=18, constants=(1,), reduction=reduction)
    index = (
        random_indices(3, 2, 5, low=-4, high=4)
        if repeat
        else np.broadcast_to([[[1], [-1]]], (3, 2, 5)).astype(np.int64)
    )
    compare(
        "ScatterElements", data, index, np.round(draw(3, 2, 5)).astype(dtype),
        opset=18, axis=1, reduction=reduction,
    )  # fmt: skip


@pytest.mark.parametrize("numbers", [(0, 10, 3), (10, -3, -2), (5, 1, 1)])
@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.int64, np.float32])
def test_range(numbers, dtype):
    compare("Range", *(np.array(number, dtype) for number in numbers), opset=11)


def test_range_with_inexact_steps():
    """Each number is start + i * delta; ONNX Runtime sums the steps instead, and drifts."""
    inputs = [np.array(number, np.float32) for number in (0.1, 70.3, 0.1)]
    (expected,) = reference.ReferenceEvaluator(model_of("Range", inputs, opset=11)).run(None, feeds_of(inputs, ()))
    np.testing.assert_allclose(run(model_of("Range", inputs, opset=11), inputs)[0], expected, rtol=0, atol=1e-5)


def test_empty_tensors():
    empty = np.zeros((0, 4), np.float32)
    compare("Gather", empty, np.array([1, 0]), opset=13, axis=1)
    compare("Concat", empty, draw(2, 4), opset=13, axis=0)
    compare("Reshape", empty, np.array([0, 2, 2]), opset=14, constants=(1,))
    compare("Tile", empty, np.array([2, 2]), opset=13, constants=(1,))
    compare("Expand", empty, np.array([2, 1, 1]), opset=13, constants=(1,))
