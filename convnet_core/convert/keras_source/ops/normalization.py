"""Normalization layers."""

from __future__ import annotations

from convnet_core.convert.keras_source.registry import Context, short, writes
from convnet_core.convert.keras_source.syntax import Call
from convnet_core.convert.native.passes.channels_last import DOMAIN


@writes("BatchNormalization", domain=DOMAIN)
@writes("BatchNormalization")
def batch_norm(node: Context) -> None:
    """ONNX's momentum, like Keras's, is the share that the running statistics keep; PyTorch's is the rest."""
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    weights = {name: node.constant(index) for index, name in enumerate(names, 1)}
    momentum, epsilon = node.attribute("momentum", 0.9), node.attribute("epsilon", 1e-5)
    layer = node.layer("BatchNormalization", momentum=short(momentum), epsilon=short(epsilon), weights=weights)
    node.emit(Call(layer, (node.x(),)))


@writes("LayerNormalization")
def layer_norm(node: Context) -> None:
    weights = {"gamma": node.constant(1), "beta": node.constant(2)}
    layer = node.layer("LayerNormalization", epsilon=short(node.attribute("epsilon", 1e-5)), weights=weights)
    node.emit(Call(layer, (node.x(),)))
