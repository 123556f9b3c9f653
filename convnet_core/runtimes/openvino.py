"""OpenVINO on the CPU."""

from __future__ import annotations

from pathlib import Path

import openvino

from convnet_core.errors import InputsError, ModelError, one_line
from convnet_core.language import _
from convnet_core.onnx_files import model_file
from convnet_core.runtimes.base import Runtime
from convnet_core.runtimes.specs import OPENVINO
from convnet_core.tensors.arrays import Feeds


class OpenVino(Runtime):
    """An ONNX file in float32 arithmetic, even on processors with bfloat16."""

    name = OPENVINO.name

    def __init__(self, path: Path, threads: int = 1) -> None:
        super().__init__()
        model = model_file.load(path)
        self.inputs, self.outputs = model_file.inputs(model), model_file.outputs(model)
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "f32",  # OpenVINO 2026.4 computes in bfloat16 if the processor supports it
            "ENABLE_CPU_PINNING": False,  # the threads of other runtimes in this process use the same cores
        }
        try:
            core = openvino.Core()
            self._model = core.compile_model(core.read_model(path), "CPU", settings)
        except Exception as error:  # RuntimeError, and OpenVINO's own error types
            raise ModelError(_("OpenVINO cannot load {path}: {reason}", path=path, reason=one_line(error))) from error

    def _infer(self, feeds: Feeds) -> Feeds:
        try:
            results = self._model({info.name: feeds[info.name] for info in self.inputs})
        except Exception as error:  # RuntimeError, and OpenVINO's own error types
            raise InputsError(one_line(error)) from error
        return {info.name: results[info.name] for info in self.outputs}
