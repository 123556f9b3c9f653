"""Which convolutions have a BatchNorm folded into them, and whether the folded weights are right.

W' = W * scale / sqrt(variance + epsilon)        b' = (b - mean) * scale / sqrt(variance + epsilon) + bias
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnx.numpy_helper

from convnet_core.dissect.difference import value_range
from convnet_core.dissect.finding import Finding
from convnet_core.dissect.measurements import Fusion
from convnet_core.dissect.probes.base import Kernel
from convnet_core.language import _
from convnet_core.tensors.arrays import Array

if TYPE_CHECKING:
    import torch

_ALLOWED = 1e-5


def find_fusions(model: onnx.ModelProto, program: torch.export.ExportedProgram) -> list[Fusion]:
    """Every BatchNorm that the exporter folded, checked against PyTorch's parameters."""
    values_by_name: dict[str, Any] = {**program.state_dict, **program.constants}
    parameters = {spec.arg.name: spec.target for spec in program.graph_signature.input_specs if spec.target}
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    makers = {name: node for node in model.graph.node for name in node.output}
    fusions = []
    for norm in program.graph_module.graph.nodes:
        if norm.op != "call_function" or "batch_norm" not in str(norm.target) or len(norm.args) < 7:
            continue
        conv, results = norm.args[0], {user.name for user in norm.users}
        node = next((makers[name] for name in results if name in makers and makers[name].op_type == "Conv"), None)
        if node is None or len(node.input) < 3 or "conv" not in str(conv.target):
            continue
        values = [_array(item, parameters, values_by_name) for item in (*conv.args[1:3], *norm.args[1:5])]
        if any(value is None for value in values[:1] + values[4:]):
            continue
        folded = [np.array(onnx.numpy_helper.to_array(weights[name])) for name in node.input[1:3] if name in weights]
        if len(folded) == 2:
            fusions.append(_check_fusion(node.name, values, float(norm.args[6]), folded))
    return fusions


def find_litert_fusions(model: onnx.ModelProto, kernels: Iterable[Kernel]) -> list[Fusion]:
    """Every BatchNorm that TFLite's converter folded, checked against the ONNX model's weights."""
    nodes = {node.name: node for node in model.graph.node}
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    fusions = []
    for names, *folded in kernels:
        inside = [nodes[name] for name in names if name in nodes]
        conv = next((node for node in inside if node.op_type == "Conv"), None)
        norm = next((node for node in inside if node.op_type == "BatchNormalization"), None)
        if conv is None or norm is None or norm.input[0] != conv.output[0]:
            continue
        inputs = [conv.input[1], conv.input[2] if len(conv.input) > 2 else "", *norm.input[1:5]]
        if any(name and name not in weights for name in inputs):
            continue
        values = [onnx.numpy_helper.to_array(weights[name]).astype(np.float64) if name else None for name in inputs]
        if values[0] is not None and values[0].shape == folded[0].shape:
            epsilon = next((item.f for item in norm.attribute if item.name == "epsilon"), 1e-5)
            fusions.append(dataclasses.replace(_check_fusion(conv.name, values, epsilon, folded), where="LiteRT"))
    return fusions


def findings(fusions: list[Fusion]) -> list[Finding]:
    """A finding for each Conv whose folded weights are wrong."""
    return [
        _epsilon_finding(fusion) if fusion.error_as_it_fits <= _ALLOWED else _weight_finding(fusion)
        for fusion in fusions
        if fusion.error > _ALLOWED
    ]


def _weight_finding(fusion: Fusion) -> Finding:
    return Finding(
        "weight",
        _(
            "The folded weights of Conv {node!r} introduce the error: they are off by up to {error:.1e} of their range "
            "from those of PyTorch's convolution and BatchNorm.",
            node=fusion.node,
            error=fusion.error,
        ),
        _("Export the network again."),
        fusion.node,
    )


def _epsilon_finding(fusion: Fusion) -> Finding:
    return Finding(
        "epsilon",
        _(
            "The folded weights of Conv {node!r} introduce the error: their BatchNorm has an epsilon of {fits:.0e}, "
            "and PyTorch's is {epsilon:.0e}.",
            node=fusion.node,
            fits=fusion.fits,
            epsilon=fusion.epsilon,
        ),
        _("Export the network again; the exporter folds with the epsilon of the module."),
        fusion.node,
    )


def _array(item: Any, parameters: dict[str, str], values_by_name: dict[str, Any]) -> Array | None:
    value = values_by_name.get(parameters.get(getattr(item, "name", ""), ""))
    return None if value is None else np.asarray(value.detach().numpy(), np.float64)


def _check_fusion(name: str, values: list[Array | None], epsilon: float, folded: list[Array]) -> Fusion:
    w, b, scale, bias, mean, variance = values
    assert w is not None
    assert mean is not None
    assert variance is not None
    channels = w.shape[0]
    scale = np.ones(channels) if scale is None else scale
    bias = np.zeros(channels) if bias is None else bias
    b = np.zeros(channels) if b is None else b
    fits = _fit(w, folded[0], scale, variance)

    def error(candidate: float) -> float:
        factor = scale / np.sqrt(variance + candidate)
        expected = w * factor.reshape(-1, *[1] * (w.ndim - 1)), (b - mean) * factor + bias
        return max(float(np.abs(a - c).max() / value_range(c)) for a, c in zip(folded, expected, strict=True))

    factor = scale / np.sqrt(variance + epsilon)
    first = {"γ": scale[0], "β": bias[0], "μ": mean[0], "σ²": variance[0], "γ/√(σ²+ε)": factor[0]}
    channel = {key: float(value) for key, value in first.items()}
    return Fusion(name, epsilon, channel, error(epsilon), fits, error(fits) if np.isfinite(fits) else float("inf"))


def _fit(w: Array, folded: Array, scale: Array, variance: Array) -> float:
    """The epsilon that fits the folded weights: the median over the channels."""
    axes = tuple(range(1, w.ndim))
    ratio = (folded * w).sum(axes) / (w * w).sum(axes)
    with np.errstate(all="ignore"):
        epsilons = (scale / ratio) ** 2 - variance
    epsilons = epsilons[np.isfinite(epsilons)]
    return float(np.median(epsilons)) if epsilons.size else float("nan")
