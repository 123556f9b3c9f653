"""The precision of a model's outputs (float32, half precision, or quantized), and the tolerance that follows from it.

Runtimes round at different points. In float32 the difference is noise. In a model that rounds to 11 or 8 bits, outputs
may differ by steps of that size, even though every runtime computes the model correctly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from convnet_core.config.stages import CompareConfig

if TYPE_CHECKING:
    import onnx

FLOAT32 = "float32"

EPSILON = {
    "float16": 2.0**-10,
    "bfloat16": 2.0**-7,
    "float8e4m3fn": 2.0**-3,
    "float8e4m3fnuz": 2.0**-3,
    "float8e5m2": 2.0**-2,
    "float8e5m2fnuz": 2.0**-2,
    "int16": 2.0**-15,
    "uint16": 2.0**-15,
    "int8": 2.0**-7,
    "uint8": 2.0**-7,
}
"""The relative step between adjacent values: for floats from their mantissa bits (IEEE 754, and ONNX's float8), for
quantized integers from their range. Other dtypes count as float32.
"""

QUANTIZED = frozenset({"int8", "uint8", "int16", "uint16"})
_FLOATS = EPSILON.keys() - QUANTIZED
_FLOAT16_FACTOR = 100.0
_QUANTIZES_INSIDE = ("DynamicQuantize", "QAttention", "QGemm")
"""Prefixes of com.microsoft operators that quantize floats internally."""


def tolerance(config: CompareConfig, precision: str = FLOAT32) -> tuple[float, float]:
    """The relative and absolute tolerance (rtol, atol); rtol is relative to a sample's largest |output|.

    `config` has the values for float32. By default, float16 has 1e-2 and 1e-3, which is ten steps and one step. Other
    precisions scale with their `EPSILON`, with rtol at most a tenth of the largest output.
    """
    factor = max(1.0, _FLOAT16_FACTOR * EPSILON.get(precision, 0.0) / EPSILON["float16"])
    return min(factor * config.rtol, max(config.rtol, 0.1)), factor * config.atol


def output_precisions(model: onnx.ModelProto) -> dict[str, str]:
    """The coarsest precision on the path from the inputs to each output: a key of `EPSILON`, or float32.

    Weights stored in half precision or quantized do not count if they are cast to float32 first, because every runtime
    then has the same values. Integers count if a node quantizes to them.
    """
    import onnx.inliner  # imported here because judging measurements needs neither onnx nor NumPy

    from convnet_core.onnx_files.functions import walk_nodes
    from convnet_core.onnx_files.tensor_types import infer_types

    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    dtypes = {name: dtype for name, (dtype, _) in infer_types(model).items()}
    result = {value.name: FLOAT32 for value in model.graph.input}
    for tensor in model.graph.initializer:
        result.pop(tensor.name, None)
    for node in model.graph.node:
        parts = list(walk_nodes([node]))
        before = [result[name] for part in parts for name in part.input if name in result]
        if before:  # otherwise a constant
            for name in node.output:
                result[name] = _coarsest([*before, *_node_precisions(parts, dtypes)])
    return {value.name: result.get(value.name, FLOAT32) for value in model.graph.output}


def _node_precisions(nodes: Iterable[onnx.NodeProto], dtypes: dict[str, str]) -> Iterator[str]:
    """The reduced precisions that nodes compute in."""
    for node in nodes:
        if node.op_type.startswith(_QUANTIZES_INSIDE):
            yield "uint8"
        quantizes = node.op_type.startswith("QLinear") or node.op_type.endswith("QuantizeLinear")
        for dtype in (dtypes.get(name, "") for name in node.output):
            if dtype in _FLOATS or (quantizes and dtype in QUANTIZED):
                yield dtype


def _coarsest(precisions: Iterable[str]) -> str:
    return max(precisions, key=lambda name: EPSILON.get(name, 0.0), default=FLOAT32)
