"""Padding of sliding windows: Keras's own where it is exactly that, else a statement before."""

from __future__ import annotations

from collections.abc import Sequence

from convnet_core.convert.keras_source.registry import Context
from convnet_core.convert.keras_source.syntax import Call, Expression, Ref

Sides = Sequence[tuple[int, int]]
"""Padding before and after, for each spatial dimension."""


def sides_of(node: Context, space: int) -> Sides:
    """The padding that a node declares."""
    pads = node.attribute("pads") or [0] * (2 * space)
    return list(zip(pads[:space], pads[space:], strict=True))


def pad_if_needed(node: Context, kernel: Sequence[int]) -> tuple[Expression, str]:
    """The input of a convolution, padded if it must be, and Keras's `padding` for the layer itself."""
    x, space = Ref(node.input(0)), len(kernel)
    sides = sides_of(node, space)
    if not any(map(any, sides)):
        return x, "valid"
    strides, dilations = (node.attribute(name) or [1] * space for name in ("strides", "dilations"))
    extents = [(size - 1) * dilation for size, dilation in zip(kernel, dilations, strict=True)]
    if set(strides) == {1} and sides == [(extent // 2, extent - extent // 2) for extent in extents]:
        return x, "same"
    every = {side for pair in sides for side in pair}
    amount = sides[0][0] if len(every) == 1 else tuple(sides)
    return node.step(Call(node.layer(f"ZeroPadding{space}D", amount), (x,)), "padded"), "valid"


def one_or_all(sizes: Sequence[int]) -> int | tuple[int, ...]:
    """A single number if all are the same."""
    return sizes[0] if len(set(sizes)) == 1 else tuple(sizes)
