"""The families of operators, which have a color each, for ONNX, TensorFlow and LiteRT."""

from __future__ import annotations

import re

_FAMILIES = {
    "number format": r"quantizelinear|quantize$|fakequant",
    "layer": r"conv|gemm|matmul|linear|dense|fullyconnected|lstm|gru|rnn|attention|einsum|embedding",
    "pool": r"pool|reduce|mean$|argm|topk|resize|upsample|roialign",
    "normalization": r"norm|lrn|dropout",
    "activation": r"relu|sigmoid|tanh|softmax|softplus|softsign|elu$|gelu|mish|swish|clip|erf|logistic|silu",
    "shape": r"reshape|flatten|squeeze|expand|transpose|permute|shape|size$|depthtospace|spacetodepth|broadcast",
    "data": r"concat|split|slice|gather|scatter|pad|tile|stack|pack|cast|identity|constant|const$|where|select|range",
    "control": r"^if$|loop|scan|while|^call|partitionedcall",
}
"""Patterns for the operator's name in lower case; the first family that matches has the operator."""


def family_of(op: str, kind: str = "op") -> str:
    """The family of an operator, `port` for an input or output of the model; `other` if none matches."""
    if kind != "op":
        return "port"
    name = op.lower().replace("_", "")
    return next((family for family, pattern in _FAMILIES.items() if re.search(pattern, name)), "other")
