"""Transposed convolutions, channels last: x [n, *space, c], weights [*kernel, out / group, in]."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from convnet_core.convert.native.helpers.channels_last import handles_spatial
from convnet_core.convert.native.helpers.tensors import larger_size, pack_sizes, reshape_to, shape_of, size_of, widen
from convnet_core.convert.native.helpers.windows import Window
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.ops.convolution import convolve
from convnet_core.errors import ConversionError
from convnet_core.language import _


@dataclasses.dataclass(frozen=True)
class _Spread:
    """How one dimension grows: each value is spread over a kernel, `stride` apart.

    The result is cropped by `start` values before and `end` values after; negative numbers add zeros.
    """

    size: Any
    kernel: int
    stride: int
    dilation: int
    start: Any = 0
    end: Any = 0

    @property
    def reach(self) -> int:
        """The distance from the first to the last value of the kernel."""
        return (self.kernel - 1) * self.dilation

    @property
    def full(self) -> Any:
        """The size before cropping."""
        return (self.size - 1) * self.stride + self.reach + 1

    @property
    def out(self) -> Any:
        """The size of the result."""
        return self.full - self.start - self.end

    @property
    def same(self) -> bool:
        """Whether it reverses a convolution with TensorFlow's SAME padding, for every size."""
        surplus = self.kernel - self.stride
        is_static = isinstance(self.start, int) and isinstance(self.end, int)
        return is_static and surplus >= 0 and self.start == surplus // 2 and self.start + self.end == surplus


@handles_spatial("ConvTranspose", 1, 11, 22)
def conv_transpose(
    x: Any,
    w: Any,
    b: Any = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: list[int] | None = None,
    group: int = 1,
    kernel_shape: list[int] | None = None,
    output_padding: list[int] | None = None,
    output_shape: list[int] | None = None,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> Any:
    kernel = kernel_shape or shape_of(w, 0, -2)
    space = len(kernel)
    ones = [1] * space
    rows = zip(shape_of(x, 1, -1), kernel, strides or ones, dilations or ones, strict=True)
    spreads = [_Spread(*row) for row in rows]
    extra = output_padding or [0] * space
    if output_shape or auto_pad.startswith("SAME"):
        outs = output_shape[-space:] if output_shape else [spread.size * spread.stride for spread in spreads]
        spreads = [_fit_size(*row, auto_pad) for row in zip(spreads, extra, outs, strict=True)]
    else:
        padding = pads if pads and auto_pad == "NOTSET" else [0] * (2 * space)
        spreads = [
            dataclasses.replace(spread, start=before, end=after - more)
            for spread, more, before, after in zip(spreads, extra, padding[:space], padding[space:], strict=True)
        ]
    plain = group == 1 and all(spread.dilation == 1 for spread in spreads)
    y = (_transpose_directly if plain else _convolve_with_zeros)(widen(x), widen(w), widen(b), spreads, group)
    return tf.cast(y, x.dtype)


def _fit_size(spread: _Spread, extra: int, out: Any, auto_pad: str) -> _Spread:
    """Crop both sides to the size `out`. An odd value is cropped before, or with SAME_UPPER after."""
    total = larger_size(spread.full + extra - out, 0)
    start = total // 2 if auto_pad == "SAME_UPPER" else total - total // 2
    return dataclasses.replace(spread, start=start, end=spread.full - start - out)


def _transpose_directly(x: Any, w: Any, b: Any, spreads: Sequence[_Spread], _group: int) -> Any:
    """Use TensorFlow's transposed convolution, which supports neither groups nor dilations on a CPU."""
    space = len(spreads)
    function = {1: tf.nn.conv1d_transpose, 2: tf.nn.conv2d_transpose, 3: tf.nn.conv3d_transpose}.get(space)
    if function is None:
        raise ConversionError(_("a transposed convolution over {space} dimensions: 1 to 3 are supported", space=space))
    same = all(spread.same for spread in spreads)
    sizes = [spread.out if same else spread.full for spread in spreads]
    shape = tf.cast(pack_sizes([size_of(x, 0), *sizes, size_of(w, -2)]), tf.int32)
    y = function(x, w, shape, [spread.stride for spread in spreads], "SAME" if same else "VALID")
    y = y if same else _crop_or_pad(y, spreads)
    return y if b is None else tf.nn.bias_add(y, b)


def _crop_or_pad(y: Any, spreads: Sequence[_Spread]) -> Any:
    """Crop, and pad with zeros at negative ends."""
    missing = [larger_size(-spread.end, 0) for spread in spreads]
    if any(not isinstance(size, int) or size for size in missing):
        y = tf.pad(y, [[0, 0], *([0, size] for size in missing), [0, 0]])
    return _crop(y, spreads)


def _crop(y: Any, spreads: Sequence[_Spread]) -> Any:
    """Crop `start` and `end` values where they are positive."""
    starts, ends = [spread.start for spread in spreads], [spread.end for spread in spreads]
    if all(isinstance(side, int) and side <= 0 for side in (*starts, *ends)):
        return y
    stops = [
        None if isinstance(spread.end, int) and spread.end <= 0 else spread.start + spread.out for spread in spreads
    ]
    return y[(slice(None), *(slice(start, stop) for start, stop in zip(starts, stops, strict=True)))]


def _convolve_with_zeros(x: Any, w: Any, b: Any, spreads: Sequence[_Spread], group: int) -> Any:
    """Insert zeros between values, then convolve with the flipped kernel."""
    windows, crops = [], []
    for axis, spread in enumerate(spreads, start=1):
        x, size = _insert_zeros(x, axis, spread.stride), (spread.size - 1) * spread.stride + 1
        before, after = larger_size(spread.reach - spread.start, 0), larger_size(spread.reach - spread.end, 0)
        windows.append(Window(size, spread.kernel, 1, spread.dilation, before, after))
        cut = {"start": larger_size(spread.start - spread.reach, 0), "end": larger_size(spread.end - spread.reach, 0)}
        crops.append(dataclasses.replace(spread, size=windows[-1].count, kernel=1, stride=1, dilation=1, **cut))
    return _crop(convolve(x, _flip_kernel(w, group), b, windows, group), crops)


def _insert_zeros(x: Any, axis: int, stride: int) -> Any:
    """Insert stride - 1 zeros between the values of one dimension."""
    if stride == 1:
        return x
    sizes = shape_of(x)
    rows = reshape_to(x, [math.prod(sizes[: axis + 1]), 1, math.prod(sizes[axis + 1 :])])
    spaced = tf.pad(rows, [[0, 0], [0, stride - 1], [0, 0]])
    sizes[axis] = sizes[axis] * stride
    joined = reshape_to(spaced, sizes)
    return joined[(slice(None),) * axis + (slice(0, sizes[axis] - stride + 1),)]


def _flip_kernel(w: Any, group: int) -> Any:
    """Turn weights [*kernel, out / group, in] into convolution weights [*kernel, in / group, out], flipped."""
    *kernel, out, channels = shape_of(w)
    space = len(kernel)
    w = tf.reverse(w, list(range(space)))
    w = tf.reshape(w, [*kernel, out, group, channels // group])
    w = tf.transpose(w, [*range(space), space + 2, space + 1, space])
    return tf.reshape(w, [*kernel, channels // group, group * out])
