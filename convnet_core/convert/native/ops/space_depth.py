"""Rearrange values between space and channels; crop, pad and assemble images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from convnet_core.convert.native.helpers.channels_last import handles_spatial
from convnet_core.convert.native.helpers.shape_tensors import entries
from convnet_core.convert.native.helpers.tensors import (
    larger_size,
    normalize_axes,
    pack_sizes,
    quotient,
    reshape_to,
    shape_of,
    size_of,
)
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.passes.fuse_channel_shuffle import OP as CHANNEL_SHUFFLE
from convnet_core.convert.native.registry import handles
from convnet_core.errors import ConversionError
from convnet_core.language import _


@handles_spatial(CHANNEL_SHUFFLE, 1)
def channel_shuffle(x: Any, *, groups: int) -> Any:
    """Not an ONNX operator: the pass `fuse_channel_shuffle` creates it."""
    *outer, channels = sizes = shape_of(x)
    parts = reshape_to(x, [*outer, groups, channels // groups])
    return reshape_to(tf.transpose(parts, [*range(len(outer)), len(outer) + 1, len(outer)]), sizes)


@handles_spatial("DepthToSpace", 1, 11, 13, 28)
def depth_to_space(x: Any, *, blocksize: int, mode: str = "DCR") -> Any:
    if mode == "CRD":
        x = tf.gather(x, _block_order(_channels(x), blocksize), axis=-1)
    return tf.nn.depth_to_space(x, blocksize)


@handles_spatial("SpaceToDepth", 1, 13, 28)
def space_to_depth(x: Any, *, blocksize: int, mode: str = "DCR") -> Any:
    y = tf.nn.space_to_depth(x, blocksize)
    if mode == "CRD":
        order = _block_order(_channels(x) * blocksize**2, blocksize)
        return tf.gather(y, np.argsort(order).astype(np.int32), axis=-1)
    return y


def _channels(x: Any) -> int:
    channels = size_of(x, -1)
    if not isinstance(channels, int):
        raise ConversionError(_("the number of channels is unknown"))
    return channels


def _block_order(channels: int, block: int) -> np.ndarray[Any, Any]:
    """Reorders channels from [c, block, block] to [block, block, c], TensorFlow's order."""
    return np.arange(channels, dtype=np.int32).reshape(-1, block * block).T.ravel()


@handles("CenterCropPad", 18)
def center_crop_pad(x: Any, shape: Any, *, axes: list[int] | None = None) -> Any:
    before, target = shape_of(x), entries(shape)
    crop, sides = [slice(None)] * len(before), [[0, 0] for _ in before]
    for axis, size in zip(normalize_axes(axes, len(before)), target, strict=True):
        surplus, missing = larger_size(before[axis] - size, 0), larger_size(size - before[axis], 0)
        crop[axis] = slice(quotient(surplus, 2), quotient(surplus, 2) + before[axis] - surplus)
        half = quotient(missing, 2)
        sides[axis] = [half, missing - half]
    return tf.pad(x[tuple(crop)], sides)


@handles("Col2Im", 18)
def col2im(
    x: Any,
    image_shape: Any,
    block_shape: Any,
    *,
    dilations: list[int] | None = None,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> Any:
    """Assemble blocks [n, c * block values, blocks] into an image, summing overlaps."""
    image, block = entries(image_shape), entries(block_shape)
    space = len(image)
    pads, ones = pads or [0] * (2 * space), [1] * space
    padded = [size + a + b for size, a, b in zip(image, pads[:space], pads[space:], strict=True)]
    positions = _block_places(padded, block, strides or ones, dilations or ones)
    n, columns, _ = shape_of(x)
    channels = quotient(columns, math.prod(block))
    values = reshape_to(tf.transpose(x, [1, 2, 0]), [channels, tf.size(positions, tf.int64), n])
    rows = tf.transpose(values, [1, 2, 0])
    sums = tf.scatter_nd(tf.reshape(positions, [-1, 1]), rows, pack_sizes([math.prod(padded), n, channels]))
    full = tf.transpose(reshape_to(sums, [*padded, n, channels]), [space, space + 1, *range(space)])
    return full[(slice(None), slice(None), *(slice(a, a + b) for a, b in zip(pads[:space], image, strict=True)))]


def _block_places(padded: Sequence[Any], block: Sequence[Any], strides: Sequence[int], dilations: Sequence[int]) -> Any:
    """The flat image position of each value of each block: [*block values, *blocks]."""
    space, positions = len(padded), tf.zeros([], tf.int64)
    for axis, (size, width, stride, dilation) in enumerate(zip(padded, block, strides, dilations, strict=True)):
        starts = tf.range(0, size - (width - 1) * dilation, stride)
        inside = tf.range(width) * dilation
        along = tf.cast(inside, tf.int64)[:, None] + tf.cast(starts, tf.int64)
        shape = [1] * (2 * space)
        shape[axis], shape[space + axis] = shape_of(along)
        positions = positions + reshape_to(along, shape) * math.prod(padded[axis + 1 :])
    return positions
