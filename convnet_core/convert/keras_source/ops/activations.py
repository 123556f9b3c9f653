"""Activations. One that Keras knows by name can become an argument of the layer before it."""

from __future__ import annotations

from convnet_core.convert.keras_source.registry import Context, call, short, writes
from convnet_core.convert.keras_source.syntax import Call, Expression, Literal
from convnet_core.errors import ConversionError
from convnet_core.language import _

_NAMES = {"Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh", "HardSwish": "hard_silu", "Softplus": "softplus"}


@writes(*_NAMES)
def activation(node: Context) -> None:
    node.emit(activate(_NAMES[node.node.op], node.x()))


def activate(name: str, x: Expression) -> Call:
    """An activation by its name in Keras; the printer writes `ops.name(x)` where the name is no parameter."""
    return Call(Call("layers.Activation", (Literal(name),)), (x,))


@writes("HardSigmoid")
def hard_sigmoid(node: Context) -> None:
    """Keras's has PyTorch's slope, 1/6; ONNX's default is 0.2."""
    if abs(node.attribute("alpha", 0.2) - 1 / 6) > 1e-6 or node.attribute("beta", 0.5) != 0.5:
        raise ConversionError(_("HardSigmoid with another slope than 1/6 has no function in Keras"))
    node.emit(activate("hard_sigmoid", node.x()))


@writes("Clip")
def clip(node: Context) -> None:
    low, high = (None if value is None else short(value.item()) for value in (node.constant(1), node.constant(2)))
    match low, high:
        case 0, 6:
            node.emit(activate("relu6", node.x()))
        case None, None:
            node.emit(node.x())
        case None, _:
            node.emit(call("ops.minimum", node.x(), high))
        case _, None:
            node.emit(call("ops.maximum", node.x(), low))
        case _:
            node.emit(call("ops.clip", node.x(), low, high))


@writes("Gelu")
def gelu(node: Context) -> None:
    node.emit(call("ops.gelu", node.x(), approximate=node.attribute("approximate", "none") != "none"))


@writes("Softmax")
def softmax(node: Context) -> None:
    node.emit(call("ops.softmax", node.x(), axis=node.attribute("axis", -1)))
