"""LiteRT (formerly TensorFlow Lite) on the CPU."""

from __future__ import annotations

from pathlib import Path

from ai_edge_litert.interpreter import Interpreter

from convnet_core.convert.names import Signature
from convnet_core.errors import ModelError
from convnet_core.runtimes.base import Runtime
from convnet_core.tensors import Feeds


class LiteRT(Runtime):
    """A .tflite file through its signature `serving_default`."""

    def __init__(self, path: Path, name: str, converter: str, threads: int = 1) -> None:
        super().__init__()
        self.name, self.converter = name, converter
        self._signature = Signature.load(path.parent)
        self.inputs = tuple(port.info for port in self._signature.inputs)
        self.outputs = tuple(port.info for port in self._signature.outputs)
        try:
            self._interpreter = Interpreter(model_path=str(path), num_threads=threads)
            self._runner = self._interpreter.get_signature_runner("serving_default")
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"LiteRT cannot load {path}: {str(error).splitlines()[0]}") from error

    def _infer(self, feeds: Feeds) -> Feeds:
        # The runner fits the tensors to a new batch size by itself.
        results = self._runner(**{port.tensorflow: feeds[port.onnx] for port in self._signature.inputs})
        return {port.onnx: results[port.tensorflow] for port in self._signature.outputs}
