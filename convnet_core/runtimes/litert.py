"""LiteRT (formerly TensorFlow Lite) on the CPU."""

from __future__ import annotations

from pathlib import Path

from ai_edge_litert.interpreter import Interpreter

from convnet_core.convert.quantization import dequantize, quantize
from convnet_core.convert.signature import Signature
from convnet_core.errors import ModelError, one_line
from convnet_core.language import _
from convnet_core.runtimes.base import Runtime
from convnet_core.tensors.arrays import Feeds


class LiteRT(Runtime):
    """A .tflite file through its signature `serving_default`.

    Quantized inputs and outputs are converted from and to floats here, with the file's scale and zero point:
    float = scale * (integer - zero point).
    """

    def __init__(self, path: Path, name: str, converter: str | None, threads: int = 1) -> None:
        super().__init__()
        self.name, self.converter = name, converter
        self._signature = Signature.load(path.parent)
        self.inputs = tuple(port.info for port in self._signature.inputs)
        self.outputs = tuple(port.info for port in self._signature.outputs)
        try:
            self._interpreter = Interpreter(model_path=str(path), num_threads=threads)
            self._runner = self._interpreter.get_signature_runner("serving_default")
            self._takes, self._gives = self._runner.get_input_details(), self._runner.get_output_details()
        except (ValueError, RuntimeError) as error:
            raise ModelError(_("LiteRT cannot load {path}: {reason}", path=path, reason=one_line(error))) from error

    def prepared(self, feeds: Feeds) -> Feeds:
        return {
            port.onnx: port.lay_out(quantize(feeds[port.onnx], self._takes[port.tensorflow]))
            for port in self._signature.inputs
        }

    def _infer(self, feeds: Feeds) -> Feeds:
        # The runner resizes the tensors to a new batch size.
        results = self._runner(
            **{
                port.tensorflow: quantize(port.from_onnx(feeds[port.onnx]), self._takes[port.tensorflow])
                for port in self._signature.inputs
            }
        )
        return {
            port.onnx: port.to_onnx(dequantize(results[port.tensorflow], port.dtype, self._gives[port.tensorflow]))
            for port in self._signature.outputs
        }
