"""Random nodes that compute: elementwise, along axes, and by matrix products."""

import numpy as np
import onnx.helper as oh
from hypothesis import assume
from hypothesis import strategies as st

from tests.convert.native.random_drafts import FLOATS, NUMBERS, SIGNED, SIZES, node


@node("Relu", "Sigmoid", "Tanh", "Erf", "Gelu", "Softplus", "Softsign", "Elu", "LeakyRelu", "HardSigmoid", "Selu",
      "Celu", "Sin", "Cos", "HardSwish", "Mish", "Atan")  # fmt: skip
def _float_unary(d):
    return [d.pick(FLOATS)], {}


@node("Floor", "Ceil", "Round", "ThresholdedRelu")
def _discontinuous(d):
    return [d.pick(FLOATS, exact=True)], {}


@node("Abs", "Neg")
def _signed_unary(d):
    return [d.pick(SIGNED)], {}


@node("Sign")
def _sign(d):
    return [d.pick(SIGNED, exact=True)], {}


@node("Identity", "Shape", "Size")
def _any_dtype(d):
    return [d.pick((*NUMBERS, "bool"))], {}


@node("Not")
def _bool_unary(d):
    return [d.pick(("bool",))], {}


@node("Add", "Sub", "Mul")
def _binary(d, exact=False):
    first = d.pick(("float32", "float64", "int32", "int64"), exact=exact)
    pair = [first, d.like(first)]
    return pair[:: d.draw(st.sampled_from([1, -1]))], {}


@node("Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual")
def _comparison(d):
    return _binary(d, exact=True)


@node("Max", "Min", "Sum", "Mean")
def _variadic(d):
    first = d.pick(("float32", "float64"))
    return [first, *(d.like(first) for _ in range(d.draw(st.integers(0, 2))))], {}


@node("And", "Or", "Xor")
def _bool_binary(d):
    first = d.pick(("bool",))
    return [first, d.like(first)], {}


@node("Div", "Mod")
def _division(d):
    first = d.pick(("float32", "int32", "int64"), exact=True)
    second = d.like(first)
    array = d.values[second]
    d.values[second] = np.where(np.abs(array) < 0.5, 2, array).astype(array.dtype)
    return [first, second], {}


@node("Where")
def _where(d):
    x = d.pick(("float32", "int64", "bool"))
    return [d.like(x, "bool"), x, d.like(x)], {}


@node("Clip")
def _clip(d):
    x = d.pick(("float32", "float64", "int32"))
    dtype = d.values[x].dtype.name
    bounds = [d.new(np.array(bound, dtype), constant=True) if d.flag() else "" for bound in (-1, 2)]
    return [x, *bounds], {}


@node("Cast")
def _cast(d):
    x = d.pick(("float32", "int32", "int64", "bool", "uint8"), exact=True)
    to = d.draw(st.sampled_from(["float32", "float64", "int32", "int64", "bool"]))
    return [x], {"to": oh.np_dtype_to_tensor_dtype(np.dtype(to))}


@node("ReduceSum", "ReduceMean", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceProd", "ReduceLogSumExp",
      "ReduceMax", "ReduceMin")  # fmt: skip
def _reduce(d):
    x = d.pick(("float32", "float64"))
    assume(d.values[x].size)
    axes = d.axes(d.values[x].ndim)
    options = {"keepdims": d.flag(), "noop_with_empty_axes": d.flag()}
    return [x, *([d.const(*axes)] if axes or d.flag() else [])], options


@node("ArgMax", "ArgMin")
def _arg(d):
    x = d.pick(("float32", "int32"), least=1, exact=True)
    assume(d.values[x].size)
    return [x], {"axis": d.axis(d.values[x].ndim), "keepdims": d.flag(), "select_last_index": d.flag()}


@node("Softmax", "LogSoftmax", "LpNormalization")
def _along_axis(d):
    x = d.pick(("float32", "float64"), least=1)
    assume(d.values[x].size)
    return [x], {"axis": d.axis(d.values[x].ndim)}


@node("CumSum")
def _cumsum(d):
    x = d.pick(("float32", "int32"), least=1)
    axis = d.new(np.array(d.axis(d.values[x].ndim)), constant=True)
    return [x, axis], {"exclusive": d.flag(), "reverse": d.flag()}


@node("LayerNormalization")
def _layer_norm(d):
    x = d.pick(("float32",), least=1)
    shape, axis = d.values[x].shape, d.axis(d.values[x].ndim)
    assume(d.values[x].size)
    scales = [d.new(d.array("float32", shape[axis:])) for _ in range(2)]
    return [x, *scales], {"axis": axis, "epsilon": 0.1}


@node("MatMul")
def _matmul(d):
    a = d.pick(("float32", "float64"), least=1, most=3)
    shape = d.values[a].shape
    front = list(shape[:-2]) if d.flag() else []
    b = d.new(d.array(d.values[a].dtype.name, [*front, shape[-1], d.draw(SIZES)] if d.flag() else [shape[-1]]))
    return [a, b], {}


@node("Gemm")
def _gemm(d):
    a = d.pick(("float32",), least=2, most=2)
    trans_a, trans_b = d.flag(), d.flag()
    rows, inner = d.values[a].shape[:: -1 if trans_a else 1]
    columns = d.draw(SIZES)
    b = d.new(d.array("float32", [columns, inner] if trans_b else [inner, columns]))
    c = d.new(d.array("float32", d.draw(st.sampled_from([[], [columns], [rows, 1], [1, columns], [rows, columns]]))))
    return [a, b, *([c] if d.flag() else [])], {"transA": trans_a, "transB": trans_b, "alpha": 0.5, "beta": 2.0}
