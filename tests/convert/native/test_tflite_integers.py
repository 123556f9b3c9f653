"""Integers of all sizes in LiteRT, most of whose kernels support only int32 and int64."""

import numpy as np
import pytest

from testing import litert

NARROW = [np.int8, np.uint8, np.int16, np.uint16, np.uint32]
WRAPPING = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Max": np.maximum, "Min": np.minimum}
COMPARING = {"Less": np.less, "Greater": np.greater, "Equal": np.equal, "LessOrEqual": np.less_equal}


def extremes(dtype, *shape):
    """Random values that include the dtype's minimum and maximum."""
    info = np.iinfo(dtype)
    values = np.random.default_rng(sum(shape)).integers(info.min, info.max, shape, dtype, endpoint=True)
    values.flat[:4] = [info.min, info.max, 1, info.max]
    return values


@pytest.mark.parametrize("dtype", NARROW)
def test_arithmetic_of_narrow_integers_wraps_around(dtype):
    nodes = [(op, ["a", "b"], [op], {}) for op in (*WRAPPING, *COMPARING, "Div", "Mod")]
    outputs = {op: (dtype, ["n", 6]) for op in WRAPPING} | {op: (bool, ["n", 6]) for op in COMPARING}
    outputs |= {"Div": (dtype, ["n", 6]), "Mod": (dtype, ["n", 6])}
    run = litert.runner(litert.model(nodes, {"a": (dtype, ["n", 6]), "b": (dtype, ["n", 6])}, outputs))
    for batch in (1, 3):
        a, b = extremes(dtype, batch, 6), extremes(dtype, batch, 6)[:, ::-1]
        b = np.where(b == 0, dtype(1), b)
        with np.errstate(over="ignore"):
            expected = {op: function(a, b) for op, function in {**WRAPPING, **COMPARING}.items()}
        expected["Div"] = np.trunc(a.astype(np.float64) / b.astype(np.float64)).astype(dtype)
        expected["Mod"] = np.mod(a, b)
        results = dict(zip(outputs, run(a, b), strict=True))
        for op, value in expected.items():
            np.testing.assert_array_equal(results[op], value, err_msg=op)
            assert results[op].dtype == value.dtype


@pytest.mark.parametrize("dtype", NARROW)
def test_other_operators_of_narrow_integers(dtype):
    low, high = (np.array(value, dtype) for value in (10, 100))
    nodes = [
        ("Clip", ["x", "low", "high"], ["clip"], {}),
        ("ReduceMax", ["x", "axes"], ["largest"], {"keepdims": 0}),
        ("ReduceSum", ["x", "axes"], ["total"], {"keepdims": 0}),
        ("Pad", ["x", "pads", "low"], ["padded"], {}),
        ("Greater", ["x", "low"], ["chosen"], {}),
        ("Where", ["chosen", "x", "high"], ["where"], {}),
    ]
    shape = ["n", 4]
    outputs = {"clip": shape, "largest": ["n"], "total": ["n"], "padded": ["n", 6], "where": shape}
    run = litert.runner(
        litert.model(
            nodes,
            {"x": (dtype, shape)},
            {name: (dtype, item) for name, item in outputs.items()},
            {"low": low, "high": high, "axes": np.array([1]), "pads": np.array([0, 1, 0, 1])},
        )
    )
    for batch in (1, 3):
        x = extremes(dtype, batch, 4)
        clip, largest, total, padded, where = run(x)
        np.testing.assert_array_equal(clip, np.clip(x, low, high))
        np.testing.assert_array_equal(largest, x.max(1))
        np.testing.assert_array_equal(total, x.sum(1, dtype=dtype))
        np.testing.assert_array_equal(padded, np.pad(x, [(0, 0), (1, 1)], constant_values=low))
        np.testing.assert_array_equal(where, np.where(x > low, x, high))


def quotient(a, b):
    """The quotient of two Python integers, rounded toward zero."""
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def test_division_of_64_bit_integers_is_exact():
    run = litert.runner(
        litert.model(
            [("Div", ["a", "b"], ["y"], {}), ("Mod", ["a", "b"], ["z"], {})],
            {"a": (np.int64, ["n", 200]), "b": (np.int64, ["n", 200])},
            {"y": (np.int64, ["n", 200]), "z": (np.int64, ["n", 200])},
        )
    )
    rng = np.random.default_rng(0)
    for batch in (1, 3):
        a, b = (rng.integers(-(2**63), 2**63 - 1, (batch, 200)) >> rng.integers(0, 63, (batch, 200)) for _ in "ab")
        b = np.where(b == 0, 7, b)
        a[0, :6], b[0, :6] = [-7, 7, -6, 6, 2**63 - 1, 1 - 2**63], [2, -2, 3, -3, 1, -1]
        a[0, 6:9] = b[0, 6:9] * [1, -1, 0]
        y, z = run(a, b)
        expected = [quotient(int(m), int(n)) for m, n in zip(a.ravel(), b.ravel(), strict=True)]
        np.testing.assert_array_equal(y.ravel(), np.array(expected))
        np.testing.assert_array_equal(z, np.mod(a, b))


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_integer_clips_to_0_and_6_do_not_become_relu6(dtype):
    nodes = [
        ("Clip", ["x", "0", "6"], ["clip"], {}),
        ("Max", ["x", "0"], ["above"], {}),
        ("Min", ["above", "6"], ["max_min"], {}),
        ("Min", ["x", "6"], ["below"], {}),
        ("Max", ["below", "0"], ["min_max"], {}),
        ("Relu", ["x"], ["relu"], {}),
        ("Clip", ["relu", "", "6"], ["relu_clip"], {}),
    ]
    outputs = dict.fromkeys(("clip", "max_min", "min_max", "relu_clip"), (dtype, ["n", 5]))
    constants = {"0": dtype(0), "6": dtype(6)}
    run = litert.runner(litert.model(nodes, {"x": (dtype, ["n", 5])}, outputs, constants))
    for x in (np.array([[-3, 0, 5, 6, 9]], dtype), np.arange(-5, 10, dtype=dtype).reshape(3, 5)):
        for result in run(x):
            np.testing.assert_array_equal(result, np.clip(x, 0, 6))


@pytest.mark.parametrize("count", [5, 258, 259, 700])
def test_matmul_integer_is_exact(count):
    """Extreme values: from 259 terms on, float32 cannot represent the sums exactly."""
    weights = np.where(np.random.default_rng(count).random((count, 3)) < 0.9, 127, -128).astype(np.int8)
    run = litert.runner(
        litert.model(
            [("MatMulInteger", ["x", "w", "zero", "zeros"], ["y"], {})],
            {"x": (np.uint8, ["n", count])},
            {"y": (np.int32, ["n", 3])},
            {"w": weights, "zero": np.uint8(3), "zeros": np.array([-128, 127, 1], np.int8)},
        )
    )
    for batch in (1, 4):
        x = np.random.default_rng(batch).integers(200, 256, (batch, count), np.uint8)
        expected = (x.astype(np.int64) - 3) @ (weights.astype(np.int64) - [-128, 127, 1])
        np.testing.assert_array_equal(run(x)[0], expected)


@pytest.mark.parametrize("dtype", [*NARROW, np.int32])
def test_bitwise_operators(dtype):
    functions = {"BitwiseAnd": np.bitwise_and, "BitwiseOr": np.bitwise_or, "BitwiseXor": np.bitwise_xor}
    nodes = [(op, ["a", "b"], [op], {}) for op in functions] + [("BitwiseNot", ["a"], ["BitwiseNot"], {})]
    shape = ["n", 6]
    inputs = {"a": (dtype, shape), "b": (dtype, shape)}
    outputs = dict.fromkeys((*functions, "BitwiseNot"), (dtype, shape))
    run = litert.runner(litert.model(nodes, inputs, outputs))
    for batch in (1, 3):
        a, b = extremes(dtype, batch, 6), extremes(dtype, batch, 6)[:, ::-1]
        *results, inverted = run(a, b)
        for result, function in zip(results, functions.values(), strict=True):
            np.testing.assert_array_equal(result, function(a, b))
        np.testing.assert_array_equal(inverted, ~a)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
def test_bit_shifts(dtype):
    bits = 8 * np.dtype(dtype).itemsize
    nodes = [("BitShift", ["a", "b"], [side], {"direction": side}) for side in ("LEFT", "RIGHT")]
    shape = ["n", 6]
    inputs = {"a": (dtype, shape), "b": (dtype, shape)}
    run = litert.runner(litert.model(nodes, inputs, dict.fromkeys(("LEFT", "RIGHT"), (dtype, shape))))
    for batch in (1, 3):
        a = extremes(dtype, batch, 6)
        b = np.tile(np.array([0, 1, bits - 1, 3, bits, np.iinfo(dtype).max], dtype), (batch, 1))
        left, right = run(a, b)
        wide = [[(int(x) << int(y)) % 2**bits if y < bits else 0 for x, y in zip(*row, strict=True)]
                for row in zip(a, b, strict=True)]  # fmt: skip
        np.testing.assert_array_equal(left, np.array(wide, dtype))
        np.testing.assert_array_equal(right, np.where(b < bits, a >> np.minimum(b, bits - 1), 0))


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_integer_products_means_signs_and_indices(dtype):
    weights, axes = np.random.default_rng(0).integers(-9, 9, (5, 2), dtype), np.array([1])
    outputs = {
        "MatMul": (dtype, ["n", 2]),
        "ReduceMean": (dtype, ["n", 1]),
        "Sign": (dtype, ["n", 5]),
        "ArgMax": (np.int64, ["n"]),
        "ArgMin": (np.int64, ["n"]),
        "smallest": (dtype, ["n", 2]),
        "indices": (np.int64, ["n", 2]),
    }
    nodes = [
        ("MatMul", ["x", "w"], ["MatMul"], {}),
        ("ReduceMean", ["x", "axes"], ["ReduceMean"], {}),
        ("Sign", ["x"], ["Sign"], {}),
        ("ArgMax", ["x"], ["ArgMax"], {"axis": 1, "keepdims": 0}),
        ("ArgMin", ["x"], ["ArgMin"], {"axis": -1, "keepdims": 0, "select_last_index": 1}),
        ("TopK", ["x", "two"], ["smallest", "indices"], {"largest": 0}),
    ]
    model = litert.model(
        nodes, {"x": (dtype, ["n", 5])}, outputs, {"w": weights, "axes": axes, "two": np.array([2])}, opset=18
    )
    run = litert.runner(model)
    x = np.array([[3, -9, 7, 7, -9], [0, -1, -2, 4, -7]], dtype)
    for batch in (1, 2):
        rows = x[:batch]
        order = np.argsort(rows, axis=1, kind="stable")[:, :2]
        expected = [
            rows @ weights,
            np.trunc(rows.mean(1, keepdims=True)),  # -1/5 and -6/5: rounded toward zero
            np.sign(rows),
            rows.argmax(1),
            4 - rows[:, ::-1].argmin(1),
            np.take_along_axis(rows, order, 1),
            order,
        ]
        for name, result, value in zip(outputs, run(rows), expected, strict=True):
            np.testing.assert_array_equal(result, value, err_msg=name)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16])
def test_data_movement_of_narrow_integers(dtype):
    signed = {"Relu": (dtype, [3, 4])} if np.iinfo(dtype).min else {}
    outputs = {"Tile": (dtype, [6, 4]), "ScatterND": (dtype, [3, 4]), "Trilu": (dtype, [3, 4]), **signed}
    outputs["OneHot"] = (dtype, [2, 3])
    nodes = [
        ("Tile", ["x", "repeats"], ["Tile"], {}),
        ("ScatterND", ["x", "row", "update"], ["ScatterND"], {}),
        ("Trilu", ["x"], ["Trilu"], {}),
        *[(op, ["x"], [op], {}) for op in signed],
        ("OneHot", ["indices", "three", "values"], ["OneHot"], {}),
    ]
    constants = {"repeats": np.array([2, 1]), "row": np.array([[1]]), "update": np.ones((1, 4), dtype)}
    constants |= {"three": np.array(3), "values": np.array([7, 9], dtype)}
    inputs = {"x": (dtype, [3, 4]), "indices": (np.int64, [2])}
    run = litert.runner(litert.model(nodes, inputs, outputs, constants))
    x = extremes(dtype, 3, 4)
    scattered = x.copy()
    scattered[1] = 1
    expected = [np.tile(x, (2, 1)), scattered, np.triu(x), *[np.maximum(x, 0) for _ in signed]]
    expected.append(np.where(np.eye(3)[[0, 2]] > 0, dtype(9), dtype(7)))
    for name, result, value in zip(outputs, run(x, np.array([0, 2])), expected, strict=True):
        np.testing.assert_array_equal(result, value, err_msg=name)
        assert result.dtype == dtype


def test_a_size_that_is_0_in_the_random_example_does_not_fail_the_conversion():
    inputs = {"indices": (np.int64, [2]), "depth": (np.float32, [])}  # random examples lie from 0 to 1
    nodes = [("OneHot", ["indices", "depth", "values"], ["y"], {})]
    model = litert.model(nodes, inputs, {"y": (np.float32, [2, "depth"])}, {"values": np.float32([0, 1])})
    (result,) = litert.runner(model)(np.array([0, 2]), np.float32(3))
    np.testing.assert_array_equal(result, np.eye(3, dtype=np.float32)[[0, 2]])
