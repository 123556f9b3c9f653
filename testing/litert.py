"""Run a model as a TFLite file in plain LiteRT."""

import tempfile
from pathlib import Path

import numpy as np
import onnx
from ai_edge_litert.interpreter import Interpreter
from onnx import helper

from convnet_core.convert.native import converter
from convnet_core.convert.signature import Signature
from convnet_core.convert.targets import saved_model, tflite


def runner(model, kind="fp32"):
    """Convert the model to TFLite; returns a function from input arrays to a list of outputs, in the model's order."""
    function = converter.convert(converter.read(model))
    signature = Signature.of(model, function.layouts)
    with tempfile.TemporaryDirectory() as folder:
        saved_model.save(saved_model.trace(function, signature), Path(folder, "saved_model"))
        tflite.save(Path(folder, "saved_model"), Path(folder, "model.tflite"), kind, {}, signature)
        interpreter = Interpreter(model_content=Path(folder, "model.tflite").read_bytes())

    signatures = interpreter.get_signature_runner("serving_default")
    remaining = set(signatures.get_input_details())  # TFLite drops inputs that no output depends on

    def run(*arrays):
        feeds = {port.tensorflow: np.asarray(value) for port, value in zip(signature.inputs, arrays, strict=True)}
        results = signatures(**{name: value for name, value in feeds.items() if name in remaining})
        return [results[port.tensorflow] for port in signature.outputs]

    return run


def model(nodes, inputs, outputs, constants=None, opset=21) -> onnx.ModelProto:
    """A model from (op, inputs, outputs, attributes) tuples.

    `inputs` and `outputs` map names to (dtype, shape); strings in a shape name dynamic dimensions.
    """
    return helper.make_model(
        helper.make_graph(
            [helper.make_node(op, names, results, name=f"{op}_{index}", **attributes)
             for index, (op, names, results, attributes) in enumerate(nodes)],
            "graph",
            [_value_info(name, *item) for name, item in inputs.items()],
            [_value_info(name, *item) for name, item in outputs.items()],
            [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()],
        ),
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=10,
    )  # fmt: skip


def _value_info(name, dtype, shape):
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)
