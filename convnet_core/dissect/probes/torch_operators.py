"""ONNX nodes in PyTorch's arithmetic: those that its exporter creates from a single PyTorch operator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import onnx
import onnx.helper
import torch
from torch import Tensor, nn

from convnet_core.tensors.arrays import Array

Op = Callable[..., Any]
"""Takes inputs by position and attributes by keyword; returns a tensor or several."""


def run_node(node: onnx.NodeProto, inputs: list[Array | None]) -> list[Array] | None:
    """The outputs of a node; None if its operator is not in OPS."""
    op = OPS.get(node.op_type) if node.domain in ("", "ai.onnx") else None
    if op is None:
        return None
    tensors = [None if array is None else torch.from_numpy(np.array(array)) for array in inputs]
    attributes = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
    with torch.inference_mode():
        outputs = op(*tensors, **attributes)
    return [value.numpy() for value in (outputs if isinstance(outputs, tuple) else (outputs,))]


def _without_attributes(function: Callable[..., Any]) -> Op:
    """An operator whose attributes do not matter here."""
    return lambda *tensors, **_: function(*tensors)


def _to_list(tensor: Tensor) -> list[int]:
    return [int(item) for item in tensor.reshape(-1).tolist()]


def _reshape(x: Tensor, shape: Tensor, *, allowzero: int = 0) -> Tensor:
    return x.reshape([x.shape[i] if not size and not allowzero else size for i, size in enumerate(_to_list(shape))])


def _transpose(x: Tensor, *, perm: list[int] | None = None) -> Tensor:
    return x.permute(perm if perm is not None else list(range(x.ndim))[::-1])


def _squeeze(x: Tensor, axes: Tensor | None = None) -> Tensor:
    return x.squeeze() if axes is None else x.squeeze(_to_list(axes))


def _unsqueeze(x: Tensor, axes: Tensor) -> Tensor:
    rank = x.ndim + axes.numel()
    for axis in sorted(item % rank for item in _to_list(axes)):
        x = x.unsqueeze(axis)
    return x


def _slice(x: Tensor, starts: Tensor, ends: Tensor, axes: Tensor | None = None, steps: Tensor | None = None) -> Tensor:
    where = _to_list(axes) if axes is not None else list(range(starts.numel()))
    every = _to_list(steps) if steps is not None else [1] * starts.numel()
    index = [slice(None)] * x.ndim
    for axis, start, end, step in zip(where, _to_list(starts), _to_list(ends), every, strict=True):
        index[axis] = slice(start, end, step)
    return torch.from_numpy(np.array(x.numpy()[tuple(index)]))  # PyTorch has no negative steps


def _concat(*tensors: Tensor, axis: int) -> Tensor:
    return torch.cat(tensors, axis)


def _gather(x: Tensor, indices: Tensor, *, axis: int = 0) -> Tensor:
    picked = x.index_select(axis, indices.reshape(-1) % x.shape[axis])
    axis %= x.ndim
    return picked.reshape([*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]])


def _split(x: Tensor, sizes: Tensor | None = None, *, axis: int = 0, num_outputs: int = 2) -> tuple[Tensor, ...]:
    if sizes is None:
        return tuple(torch.split(x, -(-x.shape[axis] // num_outputs), axis))
    return tuple(torch.split(x, _to_list(sizes), axis))


def _gemm(a: Tensor, b: Tensor, c: Tensor | None = None, **more: Any) -> Tensor:
    a, b = (item.T if more.get(flag) else item for item, flag in ((a, "transA"), (b, "transB")))
    y: Tensor = more.get("alpha", 1.0) * (a @ b)
    return y if c is None else y + more.get("beta", 1.0) * c


def _shape(x: Tensor, *, start: int = 0, end: int | None = None) -> Tensor:
    return torch.tensor(list(x.shape)[start:end], dtype=torch.int64)


def _expand(x: Tensor, shape: Tensor) -> Tensor:
    return x.expand(np.broadcast_shapes(tuple(x.shape), tuple(_to_list(shape)))).clone()


def _cast(x: Tensor, *, to: int, **_: Any) -> Tensor:
    return torch.from_numpy(x.numpy().astype(onnx.helper.tensor_dtype_to_np_dtype(to)))


def _constant_of_shape(shape: Tensor, *, value: onnx.TensorProto | None = None) -> Tensor:
    filled = np.zeros(1, np.float32) if value is None else onnx.numpy_helper.to_array(value)
    return torch.from_numpy(np.full(_to_list(shape), filled.item(), filled.dtype))


def _reduction(function: Callable[..., Tensor]) -> Op:
    def reduce(x: Tensor, axes: Tensor | None = None, *, keepdims: int = 1, **_: Any) -> Tensor:
        return function(x, _to_list(axes) if axes is not None else list(range(x.ndim)), keepdim=bool(keepdims))

    return reduce


def _instance_norm(x: Tensor, scale: Tensor, bias: Tensor, *, epsilon: float = 1e-5) -> Tensor:
    return nn.functional.instance_norm(x, weight=scale, bias=bias, eps=epsilon)


_GATES = {nn.LSTM: [0, 2, 3, 1], nn.GRU: [1, 0, 2]}
"""PyTorch's gates in ONNX's order: input, output, forget, cell; update, reset, hidden."""


def _recurrent(kind: type[nn.LSTM] | type[nn.GRU]) -> Op:
    def recurrent(x: Tensor, w: Tensor, r: Tensor, b: Tensor | None = None, *states: Tensor | None, **more: Any) -> Any:
        directions, hidden = w.shape[0], int(more["hidden_size"])
        layer = kind(x.shape[-1], hidden, bidirectional=directions == 2, bias=b is not None)
        for place in range(directions):
            suffix = "_l0_reverse" if place else "_l0"
            parts = {"weight_ih": w[place], "weight_hh": r[place]}
            if b is not None:
                parts["bias_ih"], parts["bias_hh"] = b[place].chunk(2)
            for name, value in parts.items():
                gates = value.chunk(len(_GATES[kind]))
                getattr(layer, name + suffix).copy_(torch.cat([gates[gate] for gate in _GATES[kind]]))
        first = [item for item in states[1:] if item is not None]  # states[0] is the lengths
        y, last = layer(x, tuple(first) if kind is nn.LSTM and first else (first[0] if first else None))
        y = y.reshape(*y.shape[:2], directions, hidden).transpose(1, 2)
        return (y, *last) if isinstance(last, tuple) else (y, last)

    return recurrent


OPS: dict[str, Op] = {
    **{
        name: _without_attributes(cast(Callable[..., Any], function))
        for name, function in {
            "Add": torch.add, "Sub": torch.sub, "Mul": torch.mul, "Pow": torch.pow, "MatMul": torch.matmul,
            "Erf": torch.erf, "Relu": torch.relu, "Sigmoid": torch.sigmoid, "Tanh": torch.tanh, "Sqrt": torch.sqrt,
            "Exp": torch.exp, "Neg": torch.neg, "Abs": torch.abs, "Reciprocal": torch.reciprocal, "Where": torch.where,
            "Softplus": nn.functional.softplus, "Identity": torch.clone, "Equal": torch.eq, "Not": torch.logical_not,
            "And": torch.logical_and, "Greater": torch.gt, "Less": torch.lt,
        }.items()
    },
    "Div": lambda a, b: a / b if a.is_floating_point() else torch.div(a, b, rounding_mode="trunc"),
    "Softmax": lambda x, *, axis=-1: torch.softmax(x, axis),
    "Reshape": _reshape, "Transpose": _transpose, "Squeeze": _squeeze, "Unsqueeze": _unsqueeze, "Slice": _slice,
    "Concat": _concat, "Gather": _gather, "Split": _split, "Gemm": _gemm, "Shape": _shape, "Expand": _expand,
    "Cast": _cast, "ConstantOfShape": _constant_of_shape, "InstanceNormalization": _instance_norm,
    "ReduceMean": _reduction(torch.mean), "ReduceSum": _reduction(torch.sum),
    "LSTM": _recurrent(nn.LSTM), "GRU": _recurrent(nn.GRU),
}  # fmt: skip
