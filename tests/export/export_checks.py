"""A small network built from a function, and a check of its export against PyTorch."""

import numpy as np
import onnxruntime
import torch
from torch import nn

from convnet_core.config.stages import ExportConfig
from convnet_core.onnx_files.model_file import inputs

OPSET_18 = ExportConfig()


class FunctionNet(nn.Module):
    """A network with one input, whose forward is `function(self, x)`; `parts` are its submodules."""

    def __init__(self, function, **parts):
        super().__init__()
        self.function = function
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, x):
        return self.function(self, x)


def assert_agrees(exported, model, *tensors, atol=1e-5):
    """Compare ONNX Runtime's outputs (all optimizations off) with those of `model` in PyTorch."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(exported.model.SerializeToString(), options)
    names = [info.name for info in inputs(exported.model)]
    outputs = session.run(None, {name: tensor.numpy() for name, tensor in zip(names, tensors, strict=True)})
    with torch.no_grad():
        expected = model(*tensors)
    for output, tensor in zip(outputs, expected if isinstance(expected, tuple) else (expected,), strict=True):
        np.testing.assert_allclose(output, tensor.numpy(), atol=atol, rtol=1e-3)


def batches(exported):
    return [info.shape[0] for info in inputs(exported.model)]
