"""Register handlers that work channels last, and apply 2D functions to 1, 2 and 3 spatial dimensions."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

from convnet_core.convert.native.helpers.tensors import rank_of, reshape_to, shape_of, size_of
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.passes.channels_last import DOMAIN, WEIGHTS, to_first, to_last, weights_last
from convnet_core.convert.native.registry import Function, handles
from convnet_core.errors import ConversionError
from convnet_core.language import _


def handles_spatial(op: str, *versions: int, static: Iterable[str] = ()) -> Callable[[Function], Function]:
    """Register a channels-last handler, also for nodes that keep ONNX's layout because their rank was unknown."""

    def register(function: Function) -> Function:
        @functools.wraps(function)
        def channels_first(x: Any, *inputs: Any, **attributes: Any) -> Any:
            rank, operands = rank_of(x), [x, *inputs]
            operands[0] = tf.transpose(x, to_last(rank))
            if op in WEIGHTS:
                operands[WEIGHTS[op]] = tf.transpose(operands[WEIGHTS[op]], weights_last(rank))
            results = function(*operands, **attributes)
            return tf.nest.map_structure(lambda result: tf.transpose(result, to_first(rank)), results)

        handles(op, *versions, domain=DOMAIN, static=static)(function)
        handles(op, *versions, static=static)(channels_first)
        return function

    return register


def apply_per_plane(x: Any, function: Callable[[Any, tuple[int | None, int | None]], Any]) -> Any:
    """Apply a separable function of images to 1, 2 or 3 spatial dimensions.

    The function takes an image [n, h, w, c] and the spatial dimensions of x that its height and width correspond to;
    None means to leave that side unchanged.
    """
    match rank_of(x):
        case 3:
            return tf.squeeze(function(tf.expand_dims(x, 1), (None, 0)), 1)
        case 4:
            return function(x, (0, 1))
        case 5:
            n, depth, height, width, channels = shape_of(x)
            y = function(reshape_to(x, [n * depth, height, width, channels]), (1, 2))
            height, width = shape_of(y, 1, 3)
            y = function(reshape_to(y, [n, depth, height * width, channels]), (0, None))
            return reshape_to(y, [n, size_of(y, 1), height, width, channels])
    raise ConversionError(_("{count} spatial dimensions: 1 to 3 are supported", count=rank_of(x) - 2))
