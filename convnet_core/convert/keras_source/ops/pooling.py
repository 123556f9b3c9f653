"""Pooling and means, channels last."""

from __future__ import annotations

import numpy as np

from convnet_core.convert.keras_source.padding import Sides, one_or_all, sides_of
from convnet_core.convert.keras_source.registry import Context, call, writes
from convnet_core.convert.keras_source.syntax import Call, Expression, Operation
from convnet_core.convert.native.passes.channels_last import DOMAIN
from convnet_core.errors import ConversionError
from convnet_core.language import _


@writes("MaxPool", domain=DOMAIN)
def max_pool(node: Context) -> None:
    """PyTorch pads with the lowest number; so does Keras's "same", but at other sides."""
    x, sides = node.x(), _sides(node)
    if any(map(any, sides)):
        x = node.step(_pad(x, sides, float("-inf")), "padded")
    node.emit(_pool(node, "MaxPooling", x))


@writes("AveragePool", domain=DOMAIN)
def average_pool(node: Context) -> None:
    """Padding that is not counted: the mean of the padded image by the mean of padded ones."""
    x, sides = node.x(), _sides(node)
    if not any(map(any, sides)):
        node.emit(_pool(node, "AveragePooling", x))
        return
    padded = node.step(_pad(x, sides), "padded")
    if node.attribute("count_include_pad", 0) and not node.attribute("ceil_mode", 0):
        node.emit(_pool(node, "AveragePooling", padded))
        return
    mean = node.step(_pool(node, "AveragePooling", padded), "mean")
    counted_sides = sides_of(node, len(sides)) if node.attribute("count_include_pad", 0) else [(0, 0)] * len(sides)
    ones = node.step(call("ops.ones_like", x), "ones")
    if any(map(any, counted_sides)):
        ones = node.step(call("ops.pad", ones, ((0, 0), *counted_sides, (0, 0)), constant_values=1.0), "counted")
    rest = [(a - c, b - d) for (a, b), (c, d) in zip(sides, counted_sides, strict=True)]
    share = node.step(_pool(node, "AveragePooling", node.step(_pad(ones, rest), "padded ones")), "share")
    node.emit(Operation("/", mean, share))


def _pool(node: Context, kind: str, x: Expression) -> Call:
    kernel = node.attribute("kernel_shape")
    if any(size != 1 for size in node.attribute("dilations") or ()):
        raise ConversionError(_("pooling with dilations has no layer in Keras"))
    strides = one_or_all(node.attribute("strides") or [1] * len(kernel))
    return Call(node.layer(f"{kind}{len(kernel)}D", one_or_all(kernel), strides=strides), (x,))


def _sides(node: Context) -> Sides:
    """The padding; with ceil_mode, also what the last window needs, unless it would start in the padding."""
    kernel, shape = node.attribute("kernel_shape"), node.shape(node.input(0))
    sides = sides_of(node, len(kernel))
    if not node.attribute("ceil_mode", 0):
        return sides
    sizes = shape[1:-1] if shape else (None,) * len(kernel)
    strides = node.attribute("strides") or [1] * len(kernel)
    return [_round_up(*row) for row in zip(sizes, kernel, strides, sides, strict=True)]


def _round_up(size: int | None, kernel: int, stride: int, side: tuple[int, int]) -> tuple[int, int]:
    before, after = side
    if size is None:
        raise ConversionError(_("pooling with ceil_mode needs the size of the image"))
    count = -(-(size + before + after - kernel) // stride) + 1
    count -= (count - 1) * stride >= size + before
    return before, max(0, (count - 1) * stride + kernel - size - before)


def _pad(x: Expression, sides: Sides, value: float = 0.0) -> Call:
    return call("ops.pad", x, ((0, 0), *sides, (0, 0)), constant_values=value)


@writes("ReduceMean")
def mean(node: Context) -> None:
    shape, axes = node.shape(node.input(0)), node.constant(1)
    if shape is None:
        raise ConversionError(_("a mean needs the number of dimensions"))
    axis = None if axes is None else tuple(int(item) % len(shape) for item in np.ravel(axes))
    single = axis[0] if axis and len(axis) == 1 else axis
    node.emit(call("ops.mean", node.x(), axis=single, keepdims=bool(node.attribute("keepdims", 1))))
