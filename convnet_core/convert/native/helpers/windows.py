"""Windows that slide along dimensions: where they start, how many there are, and the padding they need."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from convnet_core.convert.native.helpers.tensors import larger_size, quotient, shape_of
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.errors import ConversionError


@dataclasses.dataclass(frozen=True)
class Window:
    """The windows along one dimension of a tensor. Sizes are ints, or scalar tensors where they are not known.

    `before` and `after` is the padding that the windows reach into; `declared` what of `after` the model asks for (the
    rest comes from rounding up). `upper`: it is what TensorFlow calls SAME, whatever the size.
    """

    size: Any
    kernel: int
    stride: int = 1
    dilation: int = 1
    before: Any = 0
    after: Any = 0
    declared: Any = 0
    upper: bool = False

    @property
    def extent(self) -> int:
        """From the first value of a window to its last."""
        return (self.kernel - 1) * self.dilation + 1

    @property
    def count(self) -> Any:
        """How many windows there are."""
        return quotient(self.size + self.before + self.after - self.extent, self.stride) + 1

    @property
    def pads(self) -> bool:
        """Whether there is padding, or might be."""
        return not (isinstance(self.before, int) and isinstance(self.after, int) and self.before == self.after == 0)

    @property
    def same(self) -> bool:
        """Whether the windows are surely where TensorFlow's SAME has them."""
        if self.upper:
            return True
        if not (isinstance(self.before, int) and isinstance(self.after, int)):
            return False
        if self.stride == 1:
            return (self.before, self.after) == ((self.extent - 1) // 2, self.extent // 2)
        if not isinstance(self.size, int):
            return False
        count = -(-self.size // self.stride)
        return bool(self.count == count and self.before == _missing_padding(self, count) // 2)

    def part(self, place: int) -> slice:
        """Of the padded dimension, the value at a place of every window."""
        start = place * self.dilation
        return slice(start, start + (self.count - 1) * self.stride + 1, self.stride)


def _missing_padding(window: Window, count: Any) -> Any:
    """The padding without which there would not be so many windows."""
    return larger_size((count - 1) * window.stride + window.extent - window.size, 0)


def sliding_windows(
    x: Any,
    kernel: Sequence[int],
    strides: Sequence[int] | None,
    dilations: Sequence[int] | None,
    pads: Sequence[int] | None,
    auto_pad: str,
    ceil_mode: int = 0,
) -> list[Window]:
    """The windows along the spatial dimensions of x [n, *space, c], from the attributes that ONNX has for them."""
    sizes, space = shape_of(x, 1, -1), len(kernel)
    if len(sizes) != space:
        raise ConversionError(f"a kernel of {space} dimensions for {len(sizes)} spatial dimensions")
    if not all(isinstance(size, int) for size in kernel):
        raise ConversionError("the size of the kernel is not known")
    rows = zip(sizes, kernel, strides or [1] * space, dilations or [1] * space, strict=True)
    windows = [Window(*row) for row in rows]
    match auto_pad:
        case "SAME_UPPER" | "SAME_LOWER":
            return [_same_windows(window, auto_pad == "SAME_UPPER") for window in windows]
        case "VALID":
            return windows
    pads = pads or [0] * (2 * space)
    sides = zip(windows, pads[:space], pads[space:], strict=True)
    windows = [dataclasses.replace(window, before=a, after=b, declared=b) for window, a, b in sides]
    return [_round_up(window) for window in windows] if ceil_mode else windows


def _same_windows(window: Window, upper: bool) -> Window:
    """As many windows as the stride allows; an odd value of padding goes after, or (lower) before."""
    total = _missing_padding(window, -quotient(-window.size, window.stride))
    half = quotient(total, 2)
    before, after = (half, total - half) if upper else (total - half, half)
    return dataclasses.replace(window, before=before, after=after, declared=after, upper=upper)


def _round_up(window: Window) -> Window:
    """A window more where values are left over, unless it would start in the padding after."""
    free = window.size + window.before + window.after - window.extent
    count = -quotient(-free, window.stride) + 1
    inside = quotient(window.size + window.before - 1, window.stride) + 1  # windows that start before that padding
    count = -larger_size(-count, -inside)
    missing = (count - 1) * window.stride + window.extent - window.size - window.before
    return dataclasses.replace(window, after=larger_size(missing, 0))


def pad_windows(x: Any, windows: Sequence[Window], value: Any = 0) -> Any:
    """x [n, *space, c] with the padding of its windows."""
    if not any(window.pads for window in windows):
        return x
    return tf.pad(x, paddings(windows), constant_values=value)


def paddings(windows: Sequence[Window]) -> list[list[Any]]:
    """Before and after every dimension of [n, *space, c]."""
    return [[0, 0], *([window.before, window.after] for window in windows), [0, 0]]
