"""Arithmetic between tensors and numbers."""

from __future__ import annotations

from convnet_core.convert.keras_source.ops.activations import activate
from convnet_core.convert.keras_source.ops.linear import dense_with_bias
from convnet_core.convert.keras_source.registry import Context, writes
from convnet_core.convert.keras_source.syntax import Operation, Ref

_OPERATORS = {"Add": "+", "Sub": "-", "Mul": "*", "Div": "/", "Pow": "**"}


@writes(*_OPERATORS)
def arithmetic(node: Context) -> None:
    op = node.node.op
    if (op == "Add" and dense_with_bias(node)) or (op == "Mul" and _silu(node)):
        return
    node.emit(Operation(_OPERATORS[op], node.x(0), node.x(1)))


def _silu(node: Context) -> bool:
    """Write x * sigmoid(x) as an activation."""
    for one, other in ((0, 1), (1, 0)):
        gate = node.sole(node.input(one), "Sigmoid")
        if gate and gate.inputs[0] == node.input(other):
            node.emit(activate("silu", Ref(node.input(other))))
            return True
    return False
