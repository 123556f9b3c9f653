"""Shape tensors whose entries are partly known during tracing.

Exporters compute shapes in the graph (Shape, Gather, Concat, Reshape). One dynamic dimension would make the whole
tensor unknown, so these functions recover the known entries by walking back through the TensorFlow ops.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from convnet_core.convert.native.helpers.tensors import pack_sizes, static_value, unpack
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.errors import ConversionError
from convnet_core.language import N_, _

Entries = list[Any]
"""Ints where known, scalar tensors where not."""

_MAX_ENTRIES = 64
"""Longest tensor to examine: shapes are short."""

_MAX_DEPTH = 8
"""Most ops to walk back through, so that the time stays linear."""

Reader = Callable[[Any, int], Entries | None]


def entries(value: Any, what: str = N_("a shape"), count: int | None = None) -> Entries:
    """The entries of a vector or scalar. Raises ConversionError if their number is unknown."""
    if isinstance(value, list):
        return value
    array = static_value(value)
    if array is not None:
        return array.ravel().tolist()
    known_entries = partial_entries(value)
    if known_entries is not None:
        return known_entries
    count = count if value.shape.num_elements() is None else value.shape.num_elements()
    if count is None:
        raise ConversionError(_("the length of {what} is unknown", what=_(what)))
    return unpack(tf.reshape(value, [count]), count)


def partial_entries(value: Any) -> Entries | None:
    """The entries if at least one is known or the tensor was packed from scalars, else None."""
    array = static_value(value)
    if array is not None:
        return (
            array.ravel().tolist()
            if array.dtype.kind in "iu" and array.ndim < 2 and array.size <= _MAX_ENTRIES
            else None
        )
    if not _is_short(value) or not value.dtype.is_integer:
        return None
    read = _read(value)
    if read is None or (value.op.type not in ("Pack", "Cast") and not any(_is_known(entry) for entry in read)):
        return None
    return [
        entry.item() if _is_known(entry) else (_element(value, index) if entry is None else entry)
        for index, entry in enumerate(read)
    ]


def join_entries(items: Entries, like: Any) -> Any:
    """Combine entries into a vector with the dtype of `like`: an array if all are known."""
    if all(isinstance(item, int) for item in items):
        return np.array(items, tf.as_dtype(like.dtype).as_numpy_dtype)
    return tf.stack([tf.cast(item, like.dtype) for item in items])


def scalar_like(item: Any, like: Any) -> Any:
    """An entry as a scalar with the dtype of `like`: an array if it is known."""
    if isinstance(item, int):
        return np.array(item, tf.as_dtype(like.dtype).as_numpy_dtype)
    return tf.cast(item, like.dtype)


def fill_axes(values: Any, axes: Any, others: Any) -> Entries:
    """Entries for all dimensions: `values` at `axes` (which may be a tensor), `others` elsewhere."""
    rank = len(others)
    new, known_axes = entries(values), static_value(axes)
    if known_axes is not None:
        result = list(others)
        for axis, item in zip(known_axes.ravel().tolist(), new, strict=True):
            result[axis % rank] = item
        return result
    full = tf.convert_to_tensor(pack_sizes(others))
    indices = tf.cast(tf.reshape(axes, [-1, 1]), tf.int64) % rank
    return unpack(tf.tensor_scatter_nd_update(full, indices, tf.convert_to_tensor(pack_sizes(new))), rank)


def source_axis(size: Any, tensor: Any) -> int | None:
    """The axis of `tensor` (any tensor if None) whose size the scalar is, or None if that cannot be determined."""
    while _is_symbolic(size) and size.op.type in ("Cast", "Identity"):
        size = size.op.inputs[0]
    if not _is_symbolic(size) or size.op.type != "StridedSlice" or size.shape.rank != 0:
        return None
    shape, index = size.op.inputs[0], static_value(size.op.inputs[1])
    if shape.op.type != "Shape" or index is None:
        return None
    source = shape.op.inputs[0]
    if tensor is not None and not (
        _is_symbolic(tensor) and tensor.graph is source.graph and tensor.name == source.name
    ):
        return None
    return int(index.item()) % int(source.shape.rank)


_OF_SHAPES = {
    "Cast", "ConcatV2", "ExpandDims", "GatherV2", "Identity", "Pack", "Prod", "Reshape", "Squeeze", "StridedSlice",
    "AddV2", "FloorDiv", "Maximum", "Minimum", "Mul", "Neg", "SelectV2", "Sub", "TruncateDiv",
}  # fmt: skip
"""Ops that compute sizes from sizes."""


def is_from_shapes(value: Any, depth: int = _MAX_DEPTH) -> bool:
    """Whether integers are provably computed only from shapes and 32-bit constants."""
    array = static_value(value)
    if array is not None:
        return bool((np.abs(array) < 2**31).all())
    if not _is_symbolic(value) or not depth:
        return False
    if value.op.type in ("Shape", "Size"):
        return True
    return value.op.type in _OF_SHAPES and all(is_from_shapes(item, depth - 1) for item in value.op.inputs)


def _is_symbolic(value: Any) -> bool:
    """Whether it is a graph tensor, whose op can be examined."""
    return bool(tf.is_symbolic_tensor(value))


def _is_short(value: Any) -> bool:
    """Whether it is a scalar or short vector in the graph."""
    if not _is_symbolic(value) or value.shape.rank not in (0, 1):
        return False
    count = value.shape.num_elements()
    return count is not None and count <= _MAX_ENTRIES


def _is_known(entry: Any) -> bool:
    return isinstance(entry, np.generic)


def _element(value: Any, index: int) -> Any:
    return value if value.shape.rank == 0 else value[index]


def _read(value: Any, depth: int = _MAX_DEPTH) -> Entries | None:
    """Per entry: a NumPy scalar if known, else its scalar tensor, or None if it has no tensor."""
    array = static_value(value)
    if array is not None:
        return list(np.atleast_1d(array))
    if not _is_short(value):
        return None
    reader = _READERS.get(value.op.type) if depth else None
    read = None if reader is None else reader(value, depth - 1)
    if read is None and value.shape.rank == 0:
        return [value]
    return read if read is None or len(read) == value.shape.num_elements() else None


def _read_pack(value: Any, depth: int) -> Entries | None:
    items = [_read(item, depth) for item in value.op.inputs]
    return None if any(item is None or len(item) != 1 for item in items) else [item[0] for item in items if item]


def _read_concat(value: Any, depth: int) -> Entries | None:
    result: Entries = []
    for item in value.op.inputs[:-1]:  # the last is the axis
        count = item.shape.num_elements()
        if count is None:
            return None
        result += _read(item, depth) or [None] * count
    return result


def _read_shape(value: Any, depth: int) -> Entries:
    dtype = value.dtype.as_numpy_dtype
    return [None if size is None else dtype(size) for size in value.op.inputs[0].shape.as_list()]


def _read_same(value: Any, depth: int) -> Entries | None:
    return _read(value.op.inputs[0], depth)


def _read_cast(value: Any, depth: int) -> Entries | None:
    """Keeps scalar tensors only for casts between integers, which preserve their values."""
    source, dtype = value.op.inputs[0], value.dtype.as_numpy_dtype
    read = _read(source, depth)
    if read is None:
        return None
    same = source.dtype.is_integer and value.dtype.is_integer
    return [dtype(entry) if _is_known(entry) else (entry if same else None) for entry in read]


def _elementwise(function: Callable[..., Any]) -> Reader:
    def read(value: Any, depth: int) -> Entries | None:
        count, dtype = value.shape.num_elements(), value.dtype.as_numpy_dtype
        operands = []
        for item in value.op.inputs:
            operand = _read(item, depth)
            if operand is None:
                return None
            operands.append(operand * count if len(operand) == 1 else operand)
        return [_apply(function, row, dtype) for row in zip(*operands, strict=True)]

    return read


def _apply(function: Callable[..., Any], row: tuple[Any, ...], dtype: Any) -> Any:
    if all(_is_known(entry) for entry in row):
        with np.errstate(all="ignore"):
            return dtype(function(*row))
    if function is np.where and _is_known(row[0]):  # the branch not taken may be unknown
        return row[1] if row[0] else row[2]
    return None


_ELEMENTWISE: dict[str, Callable[..., Any]] = {
    "AddV2": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "FloorDiv": np.floor_divide,
    "RealDiv": np.true_divide,
    "TruncateDiv": lambda a, b: np.sign(a) * np.sign(b) * (abs(a) // abs(b)),
    "Maximum": np.maximum,
    "Minimum": np.minimum,
    "Equal": np.equal,
    "NotEqual": np.not_equal,
    "Less": np.less,
    "LessEqual": np.less_equal,
    "Greater": np.greater,
    "GreaterEqual": np.greater_equal,
    "LogicalNot": np.logical_not,
    "LogicalAnd": np.logical_and,
    "LogicalOr": np.logical_or,
    "SelectV2": np.where,
    "Neg": np.negative,
    "Floor": np.floor,
    "Ceil": np.ceil,
}

_READERS: dict[str, Reader] = {
    "Pack": _read_pack,
    "ConcatV2": _read_concat,
    "Shape": _read_shape,
    "Cast": _read_cast,
    **dict.fromkeys(("Identity", "ExpandDims", "Squeeze", "Reshape"), _read_same),
    **{op: _elementwise(function) for op, function in _ELEMENTWISE.items()},
}
