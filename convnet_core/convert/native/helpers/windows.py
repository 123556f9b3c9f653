"""Sliding windows of convolutions and pools: positions, counts and padding."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from convnet_core.convert.native.helpers.tensors import larger_size, quotient, shape_of
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.errors import ConversionError
from convnet_core.language import _


@dataclasses.dataclass(frozen=True)
class Window:
    """The windows along one dimension. Sizes are ints, or scalar tensors if unknown.

    `before` and `after` are the padding that the windows cover. `declared` is the part of `after` that the model
    specifies; the rest comes from rounding up. `upper` means TensorFlow's SAME padding for every size.
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
        """The number of positions from a window's first value to its last."""
        return (self.kernel - 1) * self.dilation + 1

    @property
    def count(self) -> Any:
        """The number of windows."""
        return quotient(self.size + self.before + self.after - self.extent, self.stride) + 1

    @property
    def has_padding(self) -> bool:
        """Whether there is, or may be, any padding."""
        return not (isinstance(self.before, int) and isinstance(self.after, int) and self.before == self.after == 0)

    @property
    def same(self) -> bool:
        """Whether the windows certainly match TensorFlow's SAME padding."""
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

    def part(self, index: int) -> slice:
        """The slice of the padded dimension with the value at `index` of every window."""
        start = index * self.dilation
        return slice(start, start + (self.count - 1) * self.stride + 1, self.stride)


def _missing_padding(window: Window, count: Any) -> Any:
    """The padding needed for `count` windows."""
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
    """The windows along the spatial dimensions of x [n, *space, c], from ONNX's attributes."""
    sizes, space = shape_of(x, 1, -1), len(kernel)
    if len(sizes) != space:
        raise ConversionError(
            _("a kernel with {space} dimensions for {sizes} spatial dimensions", space=space, sizes=len(sizes))
        )
    if not all(isinstance(size, int) for size in kernel):
        raise ConversionError(_("the size of the kernel is unknown"))
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
    """SAME padding: one window per stride. Odd padding puts the extra value after (upper) or before."""
    total = _missing_padding(window, -quotient(-window.size, window.stride))
    half = quotient(total, 2)
    before, after = (half, total - half) if upper else (total - half, half)
    return dataclasses.replace(window, before=before, after=after, declared=after, upper=upper)


def _round_up(window: Window) -> Window:
    """Add a window for leftover values, unless it would start in the padding after them (ceil_mode)."""
    free = window.size + window.before + window.after - window.extent
    count = -quotient(-free, window.stride) + 1
    inside = (
        quotient(window.size + window.before - 1, window.stride) + 1
    )  # windows that start before the trailing padding
    count = -larger_size(-count, -inside)
    missing = (count - 1) * window.stride + window.extent - window.size - window.before
    return dataclasses.replace(window, after=larger_size(missing, 0))


def pad_windows(x: Any, windows: Sequence[Window], value: Any = 0) -> Any:
    """Pad x [n, *space, c] for its windows."""
    if not any(window.has_padding for window in windows):
        return x
    return tf.pad(x, paddings(windows), constant_values=value)


def paddings(windows: Sequence[Window]) -> list[list[Any]]:
    """Pairs of padding before and after, for all dimensions of [n, *space, c]."""
    return [[0, 0], *([window.before, window.after] for window in windows), [0, 0]]
