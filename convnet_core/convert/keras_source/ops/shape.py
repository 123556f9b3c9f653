"""Changes of shape and order."""

from __future__ import annotations

import numpy as np

from convnet_core.convert.keras_source.registry import Context, call, writes
from convnet_core.convert.keras_source.syntax import Call, Index, List
from convnet_core.convert.native.passes.channels_last import DOMAIN
from convnet_core.errors import ConversionError
from convnet_core.language import _
from convnet_core.tensors.arrays import Array


@writes("Identity")
def identity(node: Context) -> None:
    node.emit(node.x())


@writes("Flatten")
def flatten(node: Context) -> None:
    node.emit(Call(node.layer("Flatten"), (node.x(),)))


@writes("Reshape")
def reshape(node: Context) -> None:
    shape = node.shape(node.node.outputs[0])
    if shape is None or shape.count(None) > 1:
        raise ConversionError(_("a reshape needs all sizes but one"))
    node.emit(call("ops.reshape", node.x(), tuple(-1 if size is None else size for size in shape)))


@writes("Transpose")
def transpose(node: Context) -> None:
    node.emit(call("ops.transpose", node.x(), tuple(node.attribute("perm"))))


@writes("Squeeze")
def squeeze(node: Context) -> None:
    node.emit(call("ops.squeeze", node.x(), _axes(node.constant(1))))


@writes("Unsqueeze")
def unsqueeze(node: Context) -> None:
    node.emit(call("ops.expand_dims", node.x(), _axes(node.constant(1))))


def _axes(axes: Array | None) -> int | tuple[int, ...] | None:
    if axes is None:
        return None
    values = tuple(int(axis) for axis in np.ravel(axes))
    return values[0] if len(values) == 1 else values


@writes("Concat")
def concatenate(node: Context) -> None:
    values = List(tuple(node.x(index) for index in range(len(node.node.inputs))))
    node.emit(call("ops.concatenate", values, axis=node.attribute("axis")))


@writes("Split")
def split(node: Context) -> None:
    sizes, count = node.constant(1), len(node.node.outputs)
    even = sizes is None or len(set(sizes.tolist())) == 1
    places = count if even or sizes is None else [int(place) for place in np.cumsum(sizes)[:-1]]
    node.emit_all(call("ops.split", node.x(), places, axis=node.attribute("axis", 0)))


@writes("Gather")
def gather(node: Context) -> None:
    axis, index = node.attribute("axis", 0), node.constant(1)
    if index is not None and index.ndim == 0:
        node.emit(Index(node.x(), f"{':, ' * axis}{int(index)}"))
    else:
        node.emit(call("ops.take", node.x(0), node.x(1), axis=axis))


@writes("Expand")
def expand(node: Context) -> None:
    """A constant for each sample of the batch, or to a shape that is known."""
    shape, value = node.shape(node.node.outputs[0]), node.constant(0)
    if shape and value is not None and shape[0] is None and None not in shape[1:] and value.ndim == len(shape):
        node.emit(node.weight(0, each=True))
    elif shape and None not in shape:
        node.emit(call("ops.broadcast_to", node.x(), shape))
    else:
        raise ConversionError(_("to expand a tensor needs all sizes"))


@writes("ChannelShuffle", domain=DOMAIN)
def channel_shuffle(node: Context) -> None:
    """Swap the groups with the channels inside a group."""
    shape, groups = node.shape(node.input(0)), node.attribute("groups")
    if shape is None or None in shape[1:]:
        raise ConversionError(_("a channel shuffle needs the size of the image"))
    *space, channels = (size or 0 for size in shape[1:])
    rank = len(shape)
    parts = node.step(call("ops.reshape", node.x(), (-1, *space, groups, channels // groups)), "groups")
    swapped = node.step(call("ops.transpose", parts, (*range(rank - 1), rank, rank - 1)), "swapped")
    node.emit(call("ops.reshape", swapped, (-1, *space, channels)))
