"""ONNX Runtime on the CPU."""

from __future__ import annotations

from pathlib import Path

import onnxruntime

from convnet_core import onnx_model
from convnet_core.errors import ModelError, first_line
from convnet_core.runtimes.base import Runtime
from convnet_core.tensors import Feeds


class OnnxRuntime(Runtime):
    """An ONNX file."""

    name = "onnxruntime"

    def __init__(self, path: Path, threads: int = 1) -> None:
        super().__init__()
        model = onnx_model.load(path)
        self.inputs, self.outputs = onnx_model.inputs(model), onnx_model.outputs(model)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), sess_options=options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # kinds of onnxruntime.capi's own
            raise ModelError(f"ONNX Runtime cannot load {path}: {first_line(error)}") from error
        self._names = [info.name for info in self.outputs]

    def _infer(self, feeds: Feeds) -> Feeds:
        values = self._session.run(self._names, {info.name: feeds[info.name] for info in self.inputs})
        return dict(zip(self._names, values, strict=True))
