"""How exactly a model computes, and so how close two runtimes can come: float32, half precision, or quantized.

Runtimes round in different places. With float32 that is noise; a model that rounds to 11 or to 8 bits on its way gives
answers that differ by units of that size, though each runtime does what the file says.
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
"""The step between values next to each other, over the largest of them: floats by their bits (IEEE 754, and ONNX's
float8), whole numbers of a quantized tensor by its range. What is not here counts as float32.
"""

QUANTIZED = frozenset({"int8", "uint8", "int16", "uint16"})
_FLOATS = EPSILON.keys() - QUANTIZED
_FLOAT16_FACTOR = 100.0
_QUANTIZES_INSIDE = ("DynamicQuantize", "QAttention", "QGemm")
"""How com.microsoft's operators begin that quantize floats inside."""


def tolerance(config: CompareConfig, precision: str = FLOAT32) -> tuple[float, float]:
    """The share of a sample's largest |output| that an error may reach, and what is allowed in any case: rtol, atol.

    Those of `config` are for float32. By default float16 has 1e-2 and 1e-3, ten of its steps and one; the others in
    proportion to their `EPSILON`, at most the tenth part of the largest output.
    """
    factor = max(1.0, _FLOAT16_FACTOR * EPSILON.get(precision, 0.0) / EPSILON["float16"])
    return min(factor * config.rtol, max(config.rtol, 0.1)), factor * config.atol


def output_precisions(model: onnx.ModelProto) -> dict[str, str]:
    """The coarsest precision on the way from the inputs to each output of a model: a key of `EPSILON`, or float32.

    Weights that are kept in half precision, or quantized, do not count where they are cast to float32 first: every
    runtime has the same values of them. Whole numbers count where a node quantizes to them.
    """
    import onnx.inliner  # not at the top: who judges measurements needs neither onnx nor NumPy

    from convnet_core.onnx_files.functions import walk_nodes
    from convnet_core.onnx_files.tensor_types import infer_types

    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    known = {name: dtype for name, (dtype, _) in infer_types(model).items()}
    found = {value.name: FLOAT32 for value in model.graph.input}
    for tensor in model.graph.initializer:
        found.pop(tensor.name, None)
    for node in model.graph.node:
        parts = list(walk_nodes([node]))
        before = [found[name] for part in parts for name in part.input if name in found]
        if before:  # else it is a constant
            for name in node.output:
                found[name] = _coarsest([*before, *_node_precisions(parts, known)])
    return {value.name: found.get(value.name, FLOAT32) for value in model.graph.output}


def _node_precisions(nodes: Iterable[onnx.NodeProto], known: dict[str, str]) -> Iterator[str]:
    """The precisions of what nodes compute."""
    for node in nodes:
        if node.op_type.startswith(_QUANTIZES_INSIDE):
            yield "uint8"
        quantizes = node.op_type.startswith("QLinear") or node.op_type.endswith("QuantizeLinear")
        for dtype in (known.get(name, "") for name in node.output):
            if dtype in _FLOATS or (quantizes and dtype in QUANTIZED):
                yield dtype


def _coarsest(precisions: Iterable[str]) -> str:
    return max(precisions, key=lambda name: EPSILON.get(name, 0.0), default=FLOAT32)
