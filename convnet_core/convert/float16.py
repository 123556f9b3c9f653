"""Find constants that float16 cannot represent. A float16 TFLite file stores every constant in float16."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
import onnx.helper
import onnx.numpy_helper

from convnet_core.common.formatting import join_clauses
from convnet_core.language import _
from convnet_core.onnx_files.functions import walk_nodes
from convnet_core.tensors.arrays import Array

_FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.BFLOAT16)
_LARGEST = float(np.finfo(np.float16).max)
_MAX_SHOWN = 3


def lost_constants(model: onnx.ModelProto) -> str:
    """The constants that become 0 or 65504 in float16, with their values, on one line; empty if there are none.

    A tensor counts as 0 only if all its nonzero values vanish; a few tiny values among others do not matter.
    """
    lost = [
        _("{name} becomes {value}", name=name, value=value)
        for name, array in _constants(model)
        if (value := _in_float16(array))
    ]
    more = [_("and {count} more", count=len(lost) - _MAX_SHOWN)] if len(lost) > _MAX_SHOWN else []
    return join_clauses([*lost[:_MAX_SHOWN], *more])


def _constants(model: onnx.ModelProto) -> Iterator[tuple[str, Array]]:
    """Descriptions and flat float64 values of all constants."""
    nodes = [node for part in (model.graph, *model.functions) for node in walk_nodes(part.node)]
    graphs = [model.graph, *(item.g for node in nodes for item in node.attribute if item.HasField("g"))]
    tensors = [(tensor.name, tensor) for graph in graphs for tensor in graph.initializer]
    tensors += [(node.output[0], item.t) for node in nodes for item in node.attribute if item.HasField("t")]
    for name, tensor in tensors:
        if tensor.data_type in _FLOATS:
            array = onnx.numpy_helper.to_array(tensor).astype(np.float64).ravel()
            yield _("the constant {name!r} ({value:.3g})", name=name, value=_worst(array)), array
    for node in nodes:
        for item in node.attribute:
            if item.name == "epsilon":
                yield (
                    _("epsilon ({value:.3g}) of {op} {node!r}", value=item.f, op=node.op_type, node=node.name),
                    np.array([item.f]),
                )


def _worst(values: Array) -> float:
    """The finite value of the largest magnitude, which tells whether all values vanish or any is too large."""
    finite = values[np.isfinite(values)]
    return float(finite[np.abs(finite).argmax()]) if finite.size else 0.0


def _in_float16(values: Array) -> str:
    worst = _worst(values)
    if abs(worst) > _LARGEST:
        return f"{np.sign(worst) * _LARGEST:.0f}"
    return "0" if worst and np.float16(worst) == 0 else ""
