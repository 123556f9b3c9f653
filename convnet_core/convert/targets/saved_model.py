"""Trace a graph and save it as a SavedModel with the signature `serving_default`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from convnet_core.common.tensorflow_import import import_tensorflow
from convnet_core.convert.signature import Signature
from convnet_core.convert.traced_function import Traced


def trace(function: Traced, signature: Signature) -> Any:
    """Trace a concrete function whose arguments and results have the signature's TensorFlow names."""
    tf = import_tensorflow()

    def serving_default(**arguments: Any) -> dict[str, Any]:
        results = function({port.onnx: arguments[port.tensorflow] for port in signature.inputs})
        return {port.tensorflow: tf.identity(results[port.onnx], name=port.tensorflow) for port in signature.outputs}

    specs = {
        port.tensorflow: tf.TensorSpec(
            port.shape, tf.string if port.dtype == "object" else tf.as_dtype(port.dtype), port.tensorflow
        )
        for port in signature.inputs
    }
    return tf.function(serving_default, autograph=False).get_concrete_function(**specs)


def save(concrete: Any, folder: Path) -> None:
    """Write a concrete function as a SavedModel."""
    tf = import_tensorflow()
    module = tf.Module()
    module.weights = list(concrete.variables)  # so that they can be trained after loading
    module.serving_default = concrete
    tf.saved_model.save(module, str(folder), signatures={"serving_default": concrete})
