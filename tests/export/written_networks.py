"""Networks as people write them in PyTorch, and whether what was exported of one agrees with it."""

import numpy as np
import onnxruntime
import torch
from torch import nn

from convnet_core.config.stages import ExportConfig
from convnet_core.onnx_files.model_file import inputs

OPSET_18 = ExportConfig()


class Of(nn.Module):
    """A network of one tensor, from a function and its parts."""

    def __init__(self, function, **parts):
        super().__init__()
        self.function = function
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, x):
        return self.function(self, x)


def agrees(exported, model, *given, atol=1e-5):
    """ONNX Runtime's answer, all optimizations off, against that of `model`, which runs as it is."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(exported.model.SerializeToString(), options)
    names = [info.name for info in inputs(exported.model)]
    answers = session.run(None, {name: item.numpy() for name, item in zip(names, given, strict=True)})
    with torch.no_grad():
        wanted = model(*given)
    for answer, tensor in zip(answers, wanted if isinstance(wanted, tuple) else (wanted,), strict=True):
        np.testing.assert_allclose(answer, tensor.numpy(), atol=atol, rtol=1e-3)


def batches(exported):
    return [info.shape[0] for info in inputs(exported.model)]
