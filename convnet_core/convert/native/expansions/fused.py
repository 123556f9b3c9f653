"""Expand what ONNX Runtime's optimizer fuses: activations after products, biases, sums before normalization."""

from __future__ import annotations

from typing import Any

from convnet_core.convert.native.expansions.expansion import Expansion, expands
from convnet_core.convert.native.passes.channels_last import to_first, to_last

_PARAMETERS: dict[str, tuple[str, ...]] = {
    "Relu": (),
    "Tanh": (),
    "Sigmoid": (),
    "HardSwish": (),
    "LeakyRelu": ("alpha",),
    "ThresholdedRelu": ("alpha",),
    "Elu": ("alpha",),
    "HardSigmoid": ("alpha", "beta"),
    "Clip": ("min", "max"),
}
"""The activations that may be fused, with the names of their parameters in order."""

_LAYER_NORM_OPSET = 17
"""The opset that introduced LayerNormalization."""

_CLIP_VERSION = 6
"""The Clip version in which the bounds are attributes."""


@expands("Gelu")
def _gelu(expansion: Expansion) -> str:
    return expansion.make("Gelu", expansion.input(0))


@expands("BiasGelu")
def _bias_gelu(expansion: Expansion) -> str:
    return expansion.make("Gelu", _add_optional(expansion, expansion.input(0), expansion.input(1)))


@expands("FastGelu")
def _fast_gelu(expansion: Expansion) -> str:
    return expansion.make("Gelu", _add_optional(expansion, expansion.input(0), expansion.input(1)), approximate="tanh")


@expands("QuickGelu")
def _quick_gelu(expansion: Expansion) -> str:
    return expansion.make("Swish", expansion.input(0), alpha=expansion.attribute("alpha", 1.702))


@expands("SkipLayerNormalization")
def _skip_layer_norm(expansion: Expansion) -> str:
    """Normalize input + skip + bias. The fourth output is that sum."""
    epsilon = expansion.attribute("epsilon", 1e-12)
    total = _sum(expansion, expansion.input(4))
    scale, bias = expansion.input(2), expansion.input(3)
    more = (expansion.output(1), expansion.output(2))
    return expansion.make("LayerNormalization", total, scale, bias, more=more, axis=-1, epsilon=epsilon)


@expands("SkipSimplifiedLayerNormalization")
def _skip_rms_norm(expansion: Expansion) -> str | None:
    if expansion.output(1) or expansion.output(2):
        return None
    epsilon = expansion.attribute("epsilon", 1e-12)
    return expansion.make(
        "RMSNormalization", _sum(expansion, expansion.input(3)), expansion.input(2), axis=-1, epsilon=epsilon
    )


@expands("SimplifiedLayerNormalization", domain="")
def _rms_norm(expansion: Expansion) -> str | None:
    if expansion.output(1):
        return None
    epsilon, axis = expansion.attribute("epsilon", 1e-5), expansion.attribute("axis", -1)
    return expansion.make("RMSNormalization", expansion.input(0), expansion.input(1), axis=axis, epsilon=epsilon)


@expands("LayerNormalization", domain="")
def _layer_norm(expansion: Expansion) -> str | None:
    """ONNX Runtime's optimizer also uses it in models with older opsets."""
    if expansion.node.version >= _LAYER_NORM_OPSET:
        return None
    inputs, more = expansion.node.inputs, expansion.node.outputs[1:]
    return expansion.make("LayerNormalization", *inputs, more=more, **expansion.node.attributes)


def _sum(expansion: Expansion, bias: str) -> str:
    """The sum of the input, the skip connection and the bias."""
    x, total = expansion.input(0), expansion.output(3)
    y = expansion.make("Add", x, expansion.input(1), like=x, result="" if bias else total)
    return expansion.make("Add", y, bias, like=x, result=total) if bias else y


def _add_optional(expansion: Expansion, x: str, other: str) -> str:
    """The sum of two tensors; the second may be omitted."""
    return expansion.make("Add", x, other, like=x) if other else x


@expands("FusedGemm")
def _gemm(expansion: Expansion) -> str | None:
    attributes = expansion.node.attributes
    options = {name: attributes[name] for name in ("alpha", "beta", "transA", "transB") if name in attributes}
    y = expansion.make("Gemm", *map(expansion.input, range(3)), like=expansion.output(0), **options)
    names = ("activation_alpha", "activation_beta")
    return _activate(expansion, y, [attributes[name] for name in names if name in attributes])


@expands("FusedConv")
def _conv(expansion: Expansion) -> str | None:
    x, w, b, addend = map(expansion.input, range(4))
    y = expansion.make("Conv", x, w, b, like=expansion.output(0), **expansion.window())
    return _activate(expansion, _add_optional(expansion, y, addend), expansion.attribute("activation_params", []))


@expands("NhwcConv", "NhwcFusedConv")
def _conv_last(expansion: Expansion) -> str | None:
    x, w, b, addend = map(expansion.input, range(4))
    rank = expansion.rank(x)
    if rank is None:
        return None
    y = expansion.make("Conv", transpose_to_first(expansion, x, rank), w, b, **expansion.window())
    y = transpose_to_last(expansion, y, rank)
    return _activate(expansion, _add_optional(expansion, y, addend), expansion.attribute("activation_params", []))


@expands("NhwcMaxPool")
def _max_pool_last(expansion: Expansion) -> str | None:
    x = expansion.input(0)
    rank = expansion.rank(x)
    if rank is None:
        return None
    dtype = expansion.dtype(x, "float32")
    y = expansion.make("MaxPool", transpose_to_first(expansion, x, rank), dtype=dtype, **expansion.window())
    return transpose_to_last(expansion, y, rank)


def _activate(expansion: Expansion, x: str, parameters: list[Any]) -> str | None:
    """Add the fused activation, if any. Returns None if it is unknown."""
    op = expansion.attribute("activation", "")
    if not op:
        return x
    if op not in _PARAMETERS:
        return None
    named = dict(zip(_PARAMETERS[op], parameters, strict=False))
    return expansion.make(op, x, like=x, version=_CLIP_VERSION if op == "Clip" else 0, **named)


def transpose_to_first(expansion: Expansion, x: str, rank: int) -> str:
    """Transpose a channels-last tensor to channels first."""
    return expansion.make("Transpose", x, dtype=expansion.dtype(x, "float32"), perm=list(to_first(rank)))


def transpose_to_last(expansion: Expansion, x: str, rank: int) -> str:
    """Transpose a channels-first tensor to channels last."""
    return expansion.make("Transpose", x, perm=list(to_last(rank)))
