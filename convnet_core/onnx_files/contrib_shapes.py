"""What the operators of com.microsoft give: type and shape, where those of their inputs are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import onnx
import onnx.defs
import onnx.helper
import onnx.shape_inference
from onnx import TensorProto
from onnx.shape_inference import InferenceContext, InferenceError

Infer = Callable[[InferenceContext], None]
Dims = list[Any] | None
"""Numbers, names, and None for dimensions of which nothing is known; None where the rank is not known."""

_OPSET = 13


def same(ctx: InferenceContext) -> None:
    """Like the first input; so is the fourth output, the sum that SkipLayerNormalization takes."""
    for place in (0, 3):
        _set_output(ctx, _element_type(ctx, 0), _dims(ctx, 0), place)


def embedding(ctx: InferenceContext) -> None:
    """[batch, steps, hidden], and the number of words in each sequence."""
    ids, table = _dims(ctx, 0), _dims(ctx, 2)
    dims = None if ids is None or table is None else [*ids, table[-1]]
    for place in (0, 2):
        _set_output(ctx, _element_type(ctx, 2), dims, place)
    _set_output(ctx, TensorProto.INT32, None if ids is None else ids[:1], 1)


def matmul(ctx: InferenceContext) -> None:
    """Batches of matrices, either of them transposed; floats, whatever the inputs are."""
    a = _transpose(_dims(ctx, 0), _attribute(ctx, "transA"), _attribute(ctx, "transBatchA"))
    b = _transpose(_dims(ctx, 1), _attribute(ctx, "transB"), _attribute(ctx, "transBatchB"))
    element = _element_type(ctx, 0)
    _set_output(ctx, element if element in _FLOATS else TensorProto.FLOAT, _infer_dims("MatMul", [a, b]))


def gemm(ctx: InferenceContext) -> None:
    """As Gemm."""
    _set_output(ctx, _element_type(ctx, 0), _gemm_dims(ctx, 0, 1))


def quantized_gemm(ctx: InferenceContext) -> None:
    """Integers where there is a scale for the result, else floats."""
    _set_output(ctx, _element_type(ctx, 8), _gemm_dims(ctx, 0, 3))


def attention(ctx: InferenceContext) -> None:
    """[batch, steps, hidden of the values]; [2, batch, heads, all steps, size]."""
    source, weights = _dims(ctx, 0), _dims(ctx, 1)
    if source is None or weights is None:
        return
    sizes, heads = _attribute(ctx, "qkv_hidden_sizes", None), _attribute(ctx, "num_heads")
    whole = weights[-1]
    hidden = sizes[2] if sizes else whole // 3 if isinstance(whole, int) else None
    element = _element_type(ctx, 2)
    _set_output(ctx, element, [*source[:2], hidden])
    _set_output(ctx, element, [2, source[0], heads, None, hidden // heads if hidden and heads else None], 1)


def heads(ctx: InferenceContext) -> None:
    """[batch, steps, hidden of the values]; keys and values with those of the past."""
    query, value, count = _dims(ctx, 0), _dims(ctx, 2), _attribute(ctx, "num_heads")
    if query is None:
        return
    hidden: Any = None
    if len(query) == 5:  # all three in one
        hidden = query[2] * query[4] if isinstance(query[4], int) else None
    elif value is not None and len(value) == 3:
        hidden = value[2]
    elif value is not None and len(value) == 4:
        hidden = value[1] * value[3] if isinstance(value[1], int) and isinstance(value[3], int) else None
    element = _element_type(ctx, 0)
    _set_output(ctx, element, [*query[:2], hidden])
    for place in (1, 2):
        _set_output(ctx, element, [query[0], count or None, None, None], place)


def conv(ctx: InferenceContext) -> None:
    """As Conv."""
    _set_output(ctx, _element_type(ctx, 0), _window_dims(ctx, "Conv", 0, 1))


def conv_last(ctx: InferenceContext) -> None:
    """Channels last, but for the weights."""
    _set_output(ctx, _element_type(ctx, 0), _window_dims(ctx, "Conv", 0, 1, last=True))


def quantized_conv(ctx: InferenceContext) -> None:
    """As QLinearConv; in either order of dimensions."""
    _set_output(
        ctx, _element_type(ctx, 7), _window_dims(ctx, "Conv", 0, 3, last=bool(_attribute(ctx, "channels_last")))
    )


def pool_last(ctx: InferenceContext) -> None:
    """As MaxPool, channels last."""
    _set_output(ctx, _element_type(ctx, 0), _window_dims(ctx, "MaxPool", 0, last=True))


def pool(ctx: InferenceContext) -> None:
    """As AveragePool, in either order of dimensions."""
    _set_output(
        ctx, _element_type(ctx, 0), _window_dims(ctx, "AveragePool", 0, last=bool(_attribute(ctx, "channels_last")))
    )


def global_pool(ctx: InferenceContext) -> None:
    """One value for each channel."""
    dims = _dims(ctx, 0)
    if dims is not None:
        ones = [1] * (len(dims) - 2)
        dims = [dims[0], *ones, dims[-1]] if _attribute(ctx, "channels_last") else [*dims[:2], *ones]
    _set_output(ctx, _element_type(ctx, 0), dims)


def quantize(ctx: InferenceContext) -> None:
    """Integers of the zero point's type."""
    _set_output(ctx, _element_type(ctx, 2, TensorProto.UINT8), _dims(ctx, 0))


def dequantize(ctx: InferenceContext) -> None:
    """Floats of the scale's type."""
    _set_output(ctx, _element_type(ctx, 1), _dims(ctx, 0))


def broadcast(ctx: InferenceContext) -> None:
    """The first and the fourth input, broadcast."""
    _set_output(ctx, _element_type(ctx, 0), _infer_dims("Add", [_dims(ctx, 0), _dims(ctx, 3)]))


def where(ctx: InferenceContext) -> None:
    """A condition and two tensors, broadcast."""
    either = _infer_dims("Add", [_dims(ctx, 1), _dims(ctx, 4)])
    _set_output(ctx, _element_type(ctx, 1), _infer_dims("Add", [_dims(ctx, 0), either]))


def concat(ctx: InferenceContext) -> None:
    """Every third input from the third on, one behind the other."""
    parts = [_dims(ctx, place) for place in range(2, ctx.get_num_inputs(), 3)]
    _set_output(ctx, _element_type(ctx, 2), _infer_dims("Concat", parts, axis=_attribute(ctx, "axis")))


def mean(ctx: InferenceContext) -> None:
    """As ReduceMean."""
    axes = _attribute(ctx, "axes", None)
    more = {"axes": axes} if axes else {}
    _set_output(
        ctx,
        _element_type(ctx, 0),
        _infer_dims("ReduceMean", [_dims(ctx, 0)], keepdims=_attribute(ctx, "keepdims", 1), **more),
    )


_FLOATS = {TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16}


def _gemm_dims(ctx: InferenceContext, a: int, b: int) -> Dims:
    turns = {name: _attribute(ctx, name) for name in ("transA", "transB")}
    return _infer_dims("Gemm", [_dims(ctx, a), _dims(ctx, b)], **turns)


def _window_dims(ctx: InferenceContext, op: str, *places: int, last: bool = False) -> Dims:
    names = ("auto_pad", "ceil_mode", "dilations", "group", "kernel_shape", "pads", "strides")
    found = {name: _attribute(ctx, name, None) for name in names}
    given = {name: value for name, value in found.items() if value is not None}
    shapes = [_dims(ctx, place) for place in places]
    if last and shapes[0] is not None:
        shapes[0] = [shapes[0][0], shapes[0][-1], *shapes[0][1:-1]]
    dims = _infer_dims(op, shapes, **given)
    return [dims[0], *dims[2:], dims[1]] if last and dims is not None else dims


def _transpose(dims: Dims, matrix: bool, batch: bool) -> Dims:
    """The shape of a batch of matrices: with the batch's first dimension put before the last, and transposed."""
    if dims is None or len(dims) < 2:
        return dims
    if batch:
        dims = [*dims[1:-1], dims[0], dims[-1]]
    return [*dims[:-2], dims[-1], dims[-2]] if matrix else dims


def _infer_dims(op: str, shapes: Sequence[Dims], **attributes: Any) -> Dims:
    """The shape of what an operator of ONNX gives for floats of these shapes; None where it cannot be told."""
    if any(dims is None for dims in shapes):
        return None
    types = {
        f"x{place}": onnx.helper.make_tensor_type_proto(TensorProto.FLOAT, dims) for place, dims in enumerate(shapes)
    }
    node, opsets = onnx.helper.make_node(op, list(types), ["y"], **attributes), [onnx.helper.make_opsetid("", _OPSET)]
    try:
        found = onnx.shape_inference.infer_node_outputs(
            onnx.defs.get_schema(op, _OPSET), node, types, opset_imports=opsets
        )
    except InferenceError:  # shapes that do not fit: whoever runs it says so
        return None
    return _type_dims(found["y"]) if "y" in found else None


def _dims(ctx: InferenceContext, place: int) -> Dims:
    kind = _input(ctx, place)
    return None if kind is None else _type_dims(kind)


def _type_dims(kind: onnx.TypeProto) -> Dims:
    if not kind.tensor_type.HasField("shape"):
        return None
    return [dim.dim_value if dim.HasField("dim_value") else dim.dim_param or None for dim in kind.tensor_type.shape.dim]


def _input(ctx: InferenceContext, place: int) -> onnx.TypeProto | None:
    return ctx.get_input_type(place) if place < ctx.get_num_inputs() and ctx.has_input(place) else None


def _element_type(ctx: InferenceContext, place: int, default: int = TensorProto.FLOAT) -> int:
    kind = _input(ctx, place)
    return default if kind is None else int(kind.tensor_type.elem_type)


def _attribute(ctx: InferenceContext, name: str, default: Any = 0) -> Any:
    item = ctx.get_attribute(name)
    return default if item is None else onnx.helper.get_attribute_value(item)


def _set_output(ctx: InferenceContext, element: int, dims: Dims, place: int = 0) -> None:
    if place < ctx.get_num_outputs() and ctx.has_output(place):
        ctx.set_output_type(place, onnx.helper.make_tensor_type_proto(element, dims))
