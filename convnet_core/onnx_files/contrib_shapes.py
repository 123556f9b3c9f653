"""Type and shape inference for the operators of com.microsoft."""

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
"""Dimensions as numbers, names, or None if unknown. None instead of a list: the rank is unknown."""

_OPSET = 13


def same(ctx: InferenceContext) -> None:
    """Outputs like the first input, including the fourth: the sum in SkipLayerNormalization."""
    for index in (0, 3):
        _set_output(ctx, _element_type(ctx, 0), _dims(ctx, 0), index)


def embedding(ctx: InferenceContext) -> None:
    """[batch, steps, hidden], and word counts [batch]."""
    ids, table = _dims(ctx, 0), _dims(ctx, 2)
    dims = None if ids is None or table is None else [*ids, table[-1]]
    for index in (0, 2):
        _set_output(ctx, _element_type(ctx, 2), dims, index)
    _set_output(ctx, TensorProto.INT32, None if ids is None else ids[:1], 1)


def matmul(ctx: InferenceContext) -> None:
    """Batched matrix product with optional transposes; the result is always float."""
    a = _transpose(_dims(ctx, 0), _attribute(ctx, "transA"), _attribute(ctx, "transBatchA"))
    b = _transpose(_dims(ctx, 1), _attribute(ctx, "transB"), _attribute(ctx, "transBatchB"))
    element = _element_type(ctx, 0)
    _set_output(ctx, element if element in _FLOATS else TensorProto.FLOAT, _infer_dims("MatMul", [a, b]))


def gemm(ctx: InferenceContext) -> None:
    """Like Gemm."""
    _set_output(ctx, _element_type(ctx, 0), _gemm_dims(ctx, 0, 1))


def quantized_gemm(ctx: InferenceContext) -> None:
    """Like Gemm. Integers if the result has a scale and zero point, else floats."""
    _set_output(ctx, _element_type(ctx, 8), _gemm_dims(ctx, 0, 3))


def attention(ctx: InferenceContext) -> None:
    """[batch, steps, value size] and the present state [2, batch, heads, all steps, size]."""
    source, weights = _dims(ctx, 0), _dims(ctx, 1)
    if source is None or weights is None:
        return
    sizes, heads = _attribute(ctx, "qkv_hidden_sizes", None), _attribute(ctx, "num_heads")
    total = weights[-1]
    hidden = sizes[2] if sizes else total // 3 if isinstance(total, int) else None
    element = _element_type(ctx, 2)
    _set_output(ctx, element, [*source[:2], hidden])
    _set_output(ctx, element, [2, source[0], heads, None, hidden // heads if hidden and heads else None], 1)


def heads(ctx: InferenceContext) -> None:
    """[batch, steps, value size], and the keys and values including the past."""
    query, value, count = _dims(ctx, 0), _dims(ctx, 2), _attribute(ctx, "num_heads")
    if query is None:
        return
    hidden: Any = None
    if len(query) == 5:  # query, key and value packed
        hidden = query[2] * query[4] if isinstance(query[4], int) else None
    elif value is not None and len(value) == 3:
        hidden = value[2]
    elif value is not None and len(value) == 4:
        hidden = value[1] * value[3] if isinstance(value[1], int) and isinstance(value[3], int) else None
    element = _element_type(ctx, 0)
    _set_output(ctx, element, [*query[:2], hidden])
    for index in (1, 2):
        _set_output(ctx, element, [query[0], count or None, None, None], index)


def conv(ctx: InferenceContext) -> None:
    """Like Conv."""
    _set_output(ctx, _element_type(ctx, 0), _window_dims(ctx, "Conv", 0, 1))


def conv_last(ctx: InferenceContext) -> None:
    """Like Conv, with x and y channels last."""
    _set_output(ctx, _element_type(ctx, 0), _window_dims(ctx, "Conv", 0, 1, last=True))


def quantized_conv(ctx: InferenceContext) -> None:
    """Like QLinearConv, channels first or last."""
    _set_output(
        ctx, _element_type(ctx, 7), _window_dims(ctx, "Conv", 0, 3, last=bool(_attribute(ctx, "channels_last")))
    )


def pool_last(ctx: InferenceContext) -> None:
    """Like MaxPool, channels last."""
    _set_output(ctx, _element_type(ctx, 0), _window_dims(ctx, "MaxPool", 0, last=True))


def pool(ctx: InferenceContext) -> None:
    """Like AveragePool, channels first or last."""
    _set_output(
        ctx, _element_type(ctx, 0), _window_dims(ctx, "AveragePool", 0, last=bool(_attribute(ctx, "channels_last")))
    )


def global_pool(ctx: InferenceContext) -> None:
    """One value per channel."""
    dims = _dims(ctx, 0)
    if dims is not None:
        ones = [1] * (len(dims) - 2)
        dims = [dims[0], *ones, dims[-1]] if _attribute(ctx, "channels_last") else [*dims[:2], *ones]
    _set_output(ctx, _element_type(ctx, 0), dims)


def quantize(ctx: InferenceContext) -> None:
    """Integers with the zero point's type."""
    _set_output(ctx, _element_type(ctx, 2, TensorProto.UINT8), _dims(ctx, 0))


def dequantize(ctx: InferenceContext) -> None:
    """Floats with the scale's type."""
    _set_output(ctx, _element_type(ctx, 1), _dims(ctx, 0))


def broadcast(ctx: InferenceContext) -> None:
    """The broadcast shape of the first and fourth inputs."""
    _set_output(ctx, _element_type(ctx, 0), _infer_dims("Add", [_dims(ctx, 0), _dims(ctx, 3)]))


def where(ctx: InferenceContext) -> None:
    """The broadcast shape of a condition and two tensors."""
    branches = _infer_dims("Add", [_dims(ctx, 1), _dims(ctx, 4)])
    _set_output(ctx, _element_type(ctx, 1), _infer_dims("Add", [_dims(ctx, 0), branches]))


def concat(ctx: InferenceContext) -> None:
    """The concatenation of every third input, starting with the third."""
    parts = [_dims(ctx, index) for index in range(2, ctx.get_num_inputs(), 3)]
    _set_output(ctx, _element_type(ctx, 2), _infer_dims("Concat", parts, axis=_attribute(ctx, "axis")))


def mean(ctx: InferenceContext) -> None:
    """Like ReduceMean."""
    axes = _attribute(ctx, "axes", None)
    more = {"axes": axes} if axes else {}
    _set_output(
        ctx,
        _element_type(ctx, 0),
        _infer_dims("ReduceMean", [_dims(ctx, 0)], keepdims=_attribute(ctx, "keepdims", 1), **more),
    )


_FLOATS = {TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16}


def _gemm_dims(ctx: InferenceContext, a: int, b: int) -> Dims:
    transposes = {name: _attribute(ctx, name) for name in ("transA", "transB")}
    return _infer_dims("Gemm", [_dims(ctx, a), _dims(ctx, b)], **transposes)


def _window_dims(ctx: InferenceContext, op: str, *indices: int, last: bool = False) -> Dims:
    names = ("auto_pad", "ceil_mode", "dilations", "group", "kernel_shape", "pads", "strides")
    attributes = {name: value for name in names if (value := _attribute(ctx, name, None)) is not None}
    shapes = [_dims(ctx, index) for index in indices]
    if last and shapes[0] is not None:
        shapes[0] = [shapes[0][0], shapes[0][-1], *shapes[0][1:-1]]
    dims = _infer_dims(op, shapes, **attributes)
    return [dims[0], *dims[2:], dims[1]] if last and dims is not None else dims


def _transpose(dims: Dims, matrix: bool, batch: bool) -> Dims:
    """The shape of batched matrices with the first dimension moved before the last (`batch`), then transposed."""
    if dims is None or len(dims) < 2:
        return dims
    if batch:
        dims = [*dims[1:-1], dims[0], dims[-1]]
    return [*dims[:-2], dims[-1], dims[-2]] if matrix else dims


def _infer_dims(op: str, shapes: Sequence[Dims], **attributes: Any) -> Dims:
    """The output shape of an ONNX operator for float inputs of these shapes, or None if unknown."""
    if any(dims is None for dims in shapes):
        return None
    types = {
        f"x{index}": onnx.helper.make_tensor_type_proto(TensorProto.FLOAT, dims) for index, dims in enumerate(shapes)
    }
    node, opsets = onnx.helper.make_node(op, list(types), ["y"], **attributes), [onnx.helper.make_opsetid("", _OPSET)]
    try:
        outputs = onnx.shape_inference.infer_node_outputs(
            onnx.defs.get_schema(op, _OPSET), node, types, opset_imports=opsets
        )
    except InferenceError:  # mismatched shapes: the runtime will report them
        return None
    return _type_dims(outputs["y"]) if "y" in outputs else None


def _dims(ctx: InferenceContext, index: int) -> Dims:
    kind = _input(ctx, index)
    return None if kind is None else _type_dims(kind)


def _type_dims(kind: onnx.TypeProto) -> Dims:
    if not kind.tensor_type.HasField("shape"):
        return None
    return [dim.dim_value if dim.HasField("dim_value") else dim.dim_param or None for dim in kind.tensor_type.shape.dim]


def _input(ctx: InferenceContext, index: int) -> onnx.TypeProto | None:
    return ctx.get_input_type(index) if index < ctx.get_num_inputs() and ctx.has_input(index) else None


def _element_type(ctx: InferenceContext, index: int, default: int = TensorProto.FLOAT) -> int:
    kind = _input(ctx, index)
    return default if kind is None else int(kind.tensor_type.elem_type)


def _attribute(ctx: InferenceContext, name: str, default: Any = 0) -> Any:
    item = ctx.get_attribute(name)
    return default if item is None else onnx.helper.get_attribute_value(item)


def _set_output(ctx: InferenceContext, element: int, dims: Dims, index: int = 0) -> None:
    if index < ctx.get_num_outputs() and ctx.has_output(index):
        ctx.set_output_type(index, onnx.helper.make_tensor_type_proto(element, dims))
