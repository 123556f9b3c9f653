"""Expand QLinear operators to float operators between DequantizeLinear and QuantizeLinear.

ONNX Runtime's kernels for sums, products and global means round differently. These expansions reproduce that, because
with scales such as 0.1 and 0.2 every second value lies exactly between two integers.
"""

from __future__ import annotations

import functools
import operator

import numpy as np
from onnx import TensorProto

from convnet_core.convert.native.expansions.expansion import Expansion, expands
from convnet_core.convert.native.expansions.fused import transpose_to_first, transpose_to_last


def _dequantize(expansion: Expansion, index: int) -> str:
    """Dequantize an input whose scale and zero point are the next two inputs."""
    x, scale, zero = (expansion.input(index + step) for step in range(3))
    return expansion.make("DequantizeLinear", x, scale, zero, like=x)


def _requantize(expansion: Expansion, y: str, index: int, source: int = 0) -> str:
    """Quantize floats with the scale at input `index` and the zero point after it."""
    scale, zero = expansion.input(index), expansion.input(index + 1)
    return _quantize_floats(expansion, y, scale, zero or _zero(expansion, source))


def _quantize_floats(expansion: Expansion, y: str, scale: str, zero: str) -> str:
    dtype = expansion.dtype(zero, "uint8")
    return expansion.make("QuantizeLinear", y, scale, zero, like=y, dtype=dtype)


def _zero(expansion: Expansion, source: int) -> str:
    """A zero point of 0 with the dtype of an input."""
    return expansion.constant(0, expansion.dtype(expansion.input(source), "uint8"))


def _ratio(expansion: Expansion, numerator: list[str], denominator: str) -> str:
    """A product of scales, divided by another scale."""
    values = [expansion.value(name) for name in (*numerator, denominator)]
    if all(value is not None for value in values):
        *factors, divisor = (np.asarray(value, np.float32) for value in values)
        return expansion.constant(functools.reduce(operator.mul, factors) / divisor)
    product = expansion.make("Mul", *numerator) if len(numerator) > 1 else numerator[0]
    return expansion.make("Div", product, denominator)


def _quantize_steps(expansion: Expansion, y: str) -> str:
    """Quantize values in units of the result's scale. Adds the zero point (the eighth input) before rounding."""
    zero = expansion.input(7)
    if zero:
        y = expansion.make("Add", y, expansion.make("Cast", zero, to=TensorProto.FLOAT), like=y)
    return _quantize_floats(expansion, y, expansion.constant(1.0), _zero(expansion, 0))


@expands("QLinearAdd")
def _add(expansion: Expansion) -> str:
    terms = []
    for index in (0, 3):
        ratio = _ratio(expansion, [expansion.input(index + 1)], expansion.input(6))
        x, zero = expansion.input(index), expansion.input(index + 2)
        terms.append(expansion.make("DequantizeLinear", x, ratio, zero, like=x))
    return _quantize_steps(expansion, expansion.make("Add", *terms, like=expansion.output(0)))


@expands("QLinearMul")
def _mul(expansion: Expansion) -> str:
    """Multiply as integers. With floats, TensorFlow would merge the scale into one factor and round differently."""
    factors = []
    for index in (0, 3):
        x, zero = expansion.input(index), expansion.input(index + 2)
        wide = expansion.make("Cast", x, like=x, dtype="int32", to=TensorProto.INT32)
        if zero:
            zero = expansion.make("Cast", zero, to=TensorProto.INT32)
            wide = expansion.make("Sub", wide, zero, like=x, dtype="int32")
        factors.append(wide)
    product = expansion.make("Mul", *factors, like=expansion.output(0), dtype="int32")
    product = expansion.make("Cast", product, like=product, to=TensorProto.FLOAT)
    ratio = _ratio(expansion, [expansion.input(1), expansion.input(4)], expansion.input(6))
    return _quantize_steps(expansion, expansion.make("Mul", product, ratio, like=product))


@expands("QLinearLeakyRelu")
def _leaky_relu(expansion: Expansion) -> str:
    x = _dequantize(expansion, 0)
    y = expansion.make("LeakyRelu", x, like=x, alpha=expansion.attribute("alpha", 0.01))
    return _requantize(expansion, y, 3)


@expands("QLinearSigmoid")
def _sigmoid(expansion: Expansion) -> str:
    x = _dequantize(expansion, 0)
    return _requantize(expansion, expansion.make("Sigmoid", x, like=x), 3)


@expands("QLinearSoftmax")
def _softmax(expansion: Expansion) -> str:
    """Before opset 13, all dimensions from `axis` on count as one."""
    x, old = _dequantize(expansion, 0), expansion.attribute("opset", 0) < 13
    y = expansion.make("Softmax", x, like=x, axis=expansion.attribute("axis", -1), version=11 if old else 13)
    return _requantize(expansion, y, 3)


@expands("QLinearConcat")
def _concat(expansion: Expansion) -> str:
    parts = [_dequantize(expansion, index) for index in range(2, len(expansion.node.inputs), 3)]
    y = expansion.make("Concat", *parts, like=expansion.output(0), axis=expansion.attribute("axis", 0))
    return _requantize(expansion, y, 0, source=2)


@expands("QLinearWhere")
def _where(expansion: Expansion) -> str:
    branches = (_dequantize(expansion, 1), _dequantize(expansion, 4))
    y = expansion.make("Where", expansion.input(0), *branches, like=expansion.output(0))
    return _requantize(expansion, y, 7, source=1)


@expands("QLinearReduceMean")
def _mean(expansion: Expansion) -> str:
    axes = expansion.attribute("axes", [])
    inputs = [expansion.constant(axes, "int64")] if axes else []
    keepdims = expansion.attribute("keepdims", 1)
    y = expansion.make("ReduceMean", _dequantize(expansion, 0), *inputs, like=expansion.output(0), keepdims=keepdims)
    return _requantize(expansion, y, 3)


@expands("QLinearAveragePool")
def _average_pool(expansion: Expansion) -> str | None:
    x, rank = _dequantize(expansion, 0), expansion.rank(expansion.input(0))
    if not expansion.attribute("channels_last", 0):
        y = expansion.make("AveragePool", x, like=expansion.output(0), **expansion.window())
    elif rank is None:
        return None
    else:
        y = transpose_to_last(
            expansion, expansion.make("AveragePool", transpose_to_first(expansion, x, rank), **expansion.window()), rank
        )
    return _requantize(expansion, y, 3)


@expands("QLinearGlobalAveragePool")
def _global_average_pool(expansion: Expansion) -> str | None:
    """Average the integers, which is exact in floats, then apply the scales."""
    x, zero, rank = expansion.input(0), expansion.input(2), expansion.rank(expansion.input(0))
    integers = expansion.make("DequantizeLinear", x, expansion.constant(1.0), zero, like=x)
    if not expansion.attribute("channels_last", 0):
        y = expansion.make("GlobalAveragePool", integers, like=expansion.output(0))
    elif rank is None:
        return None
    else:
        y = transpose_to_last(
            expansion, expansion.make("GlobalAveragePool", transpose_to_first(expansion, integers, rank)), rank
        )
    scale = _ratio(expansion, [expansion.input(3)], expansion.input(1))
    return _quantize_floats(expansion, y, scale, expansion.input(4))


@expands("QLinearConv")
def _conv(expansion: Expansion) -> str | None:
    """ONNX's QLinearConv, which here may be channels last."""
    inputs, dtype = list(map(expansion.input, range(9))), expansion.dtype(expansion.input(7), "uint8")
    if not expansion.attribute("channels_last", 0):
        return expansion.make("QLinearConv", *inputs, like=expansion.output(0), dtype=dtype, **expansion.window())
    rank = expansion.rank(inputs[0])
    if rank is None:
        return None
    inputs[0] = transpose_to_first(expansion, inputs[0], rank)
    return transpose_to_last(expansion, expansion.make("QLinearConv", *inputs, dtype=dtype, **expansion.window()), rank)


@expands("QuantizeLinear", "DequantizeLinear")
def _quantize(expansion: Expansion) -> str:
    node = expansion.node
    return expansion.make(node.op, *node.inputs, **node.attributes)
