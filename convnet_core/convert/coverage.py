"""Find the nodes that a converter does not support, and a converter or opset that supports them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import onnx
import onnx.version_converter

from convnet_core.config.stages import ConvertConfig
from convnet_core.convert import signature
from convnet_core.convert.loaded_model import LoadedModel
from convnet_core.convert.native import converter as native
from convnet_core.convert.onnx_tf import converter as onnx_tf
from convnet_core.convert.targets import saved_model
from convnet_core.convert.trace import CONVERTERS
from convnet_core.errors import ConversionError, MissingError, UnsupportedNode, UnsupportedOpError

CHECKS: dict[str, Callable[[onnx.ModelProto], list[UnsupportedNode]]] = {
    "native": lambda model: native.check(native.read(model)),
    "onnx-tf": onnx_tf.check,
}
"""By converter: a function that lists the nodes it cannot convert."""

_OLDEST_OPSET = 7
"""The oldest opset to try. ONNX's version converter supports few operators before it."""
_MAX_BYTES = 2**28
"""Largest model to try in other opsets, because each attempt copies it."""


def refused_nodes(model: onnx.ModelProto, config: ConvertConfig) -> tuple[UnsupportedNode, ...]:
    """The nodes that a converter rejects when it converts the model. Empty if the conversion succeeds.

    Raises ConversionError or MissingError if it fails for a reason other than a node.
    """
    try:
        function = CONVERTERS[config.converter](LoadedModel(model), config)
        saved_model.trace(function, signature.Signature.of(model, function.layouts))
    except UnsupportedOpError as error:
        return error.nodes
    return ()


def capable_converters(model: onnx.ModelProto, converter: str) -> list[str]:
    """The other converters that support all of a model's operators."""
    return [name for name in CHECKS if name != converter and _supports_all(model, name)]


def convertible_opset(model: onnx.ModelProto, converter: str) -> int | None:
    """The newest older opset at which a converter supports all of the model's operators, or None."""
    opset = next((item.version for item in model.opset_import if item.domain == ""), 0)
    if model.ByteSize() > _MAX_BYTES:
        return None
    for older in range(opset - 1, _OLDEST_OPSET - 1, -1):
        try:
            older_model = onnx.version_converter.convert_version(model, older)
        except Exception:  # a C++ error: an operator has no older version
            return None
        if _supports_all(older_model, converter):
            return older
    return None


def _supports_all(model: onnx.ModelProto, converter: str) -> bool:
    with contextlib.suppress(ConversionError, MissingError):
        return not CHECKS[converter](model)
    return False
