"""Which nodes of a model a converter lacks, and who can convert it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import onnx
import onnx.version_converter

from convnet_core.config.stages import ConvertConfig
from convnet_core.convert import signature
from convnet_core.convert.convert import CONVERTERS
from convnet_core.convert.native import converter as native
from convnet_core.convert.onnx_tf import converter as onnx_tf
from convnet_core.convert.targets import saved_model
from convnet_core.errors import ConversionError, MissingError, UnsupportedNode, UnsupportedOpError

CHECKS: dict[str, Callable[[onnx.ModelProto], list[UnsupportedNode]]] = {
    "native": native.check,
    "onnx-tf": onnx_tf.check,
}
"""By converter: every node that it cannot convert."""

_OLDEST = 7
"""The oldest opset that is tried; ONNX's version converter knows little before it."""
_MOST_BYTES = 2**28
"""A larger model is not tried in other opsets, which copies it for each."""


def refused_nodes(model: onnx.ModelProto, config: ConvertConfig) -> tuple[UnsupportedNode, ...]:
    """The nodes for which a converter refuses a model, found by trying; none where it takes it.

    Raises ConversionError and MissingError where the reason is another than a node.
    """
    try:
        function = CONVERTERS[config.converter](model, config)
        saved_model.trace(function, signature.Signature.of(model, function.layouts))
    except UnsupportedOpError as error:
        return error.nodes
    return ()


def capable_converters(model: onnx.ModelProto, converter: str) -> list[str]:
    """The other converters that have all of a model's operators."""
    return [name for name in CHECKS if name != converter and _has_all(model, name)]


def convertible_opset(model: onnx.ModelProto, converter: str) -> int | None:
    """The newest older opset at which a converter has all of the model's operators; None where none is found."""
    opset = next((item.version for item in model.opset_import if item.domain == ""), 0)
    if model.ByteSize() > _MOST_BYTES:
        return None
    for older in range(opset - 1, _OLDEST - 1, -1):
        try:
            changed = onnx.version_converter.convert_version(model, older)
        except Exception:  # of C++, where an operator has no older form
            return None
        if _has_all(changed, converter):
            return older
    return None


def _has_all(model: onnx.ModelProto, converter: str) -> bool:
    with contextlib.suppress(ConversionError, MissingError):
        return not CHECKS[converter](model)
    return False
