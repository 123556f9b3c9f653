"""ONNX Runtime on the CPU."""

from __future__ import annotations

from pathlib import Path

import onnxruntime

from convnet_core.errors import InputsError, ModelError, one_line
from convnet_core.language import _
from convnet_core.onnx_files import model_file
from convnet_core.runtimes.base import Runtime
from convnet_core.runtimes.specs import ONNX_RUNTIME, ONNX_RUNTIME_OPTIMIZED
from convnet_core.tensors.arrays import Feeds


class OnnxRuntime(Runtime):
    """An ONNX file, computed node by node as written; `optimized` uses ONNX Runtime's default optimizations.

    Its optimizations change the arithmetic: from the level "extended" on (ONNX Runtime 1.32), nodes between
    QuantizeLinear and DequantizeLinear become int8 kernels, which round differently, and whole blocks become one node.
    Level "basic" fuses BatchNormalization into weights. With all of them off, the node tests of ONNX and quantized
    models come closest to ONNX's reference implementation, and every model that opens with them also opens without.
    """

    def __init__(self, path: Path, threads: int = 1, *, optimized: bool = False) -> None:
        super().__init__()
        self.name = (ONNX_RUNTIME_OPTIMIZED if optimized else ONNX_RUNTIME).name
        model = model_file.load(path)
        self.inputs, self.outputs = model_file.inputs(model), model_file.outputs(model)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4  # errors are raised anyway
        options.graph_optimization_level = (
            onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
            if optimized
            else onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        )
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), sess_options=options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime.capi has its own error types
            raise ModelError(
                _("ONNX Runtime cannot load {path}: {reason}", path=path, reason=one_line(error))
            ) from error
        self._names = [info.name for info in self.outputs]

    def _infer(self, feeds: Feeds) -> Feeds:
        try:
            values = self._session.run(self._names, {info.name: feeds[info.name] for info in self.inputs})
        except Exception as error:  # onnxruntime.capi has its own error types
            raise InputsError(one_line(error)) from error
        return dict(zip(self._names, values, strict=True))
