"""Five networks of different kinds, exported and converted, as cases for the dissection."""

import sys

import numpy as np
import onnx
import pytest
import torch
from torch import nn
from torchvision.models.resnet import BasicBlock, ResNet

from convnet_core.config.stages import ConvertConfig, ExportConfig
from convnet_core.convert.convert import convert
from convnet_core.convert.loaded_model import LoadedModel
from convnet_core.dissect.case import Case
from convnet_core.events import Monitor
from convnet_core.export.onnx_export import export_any
from tests.convert.native.blocks import randomize_parameters
from tests.convert.native.test_networks import network_with_statistics


def networks():
    """Each network with an example input, by name."""
    torch.manual_seed(0)
    return {
        "convnet": (network_with_statistics("convnet"), torch.rand(4, 1, 28, 28)),
        "deep": (network_with_statistics("deep"), torch.rand(4, 1, 28, 28)),
        "residual": (randomize_parameters(ResNet(BasicBlock, [1, 1, 1, 1], num_classes=5)), torch.rand(4, 3, 32, 32)),
        "transformer": (
            nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, activation="gelu"), 2).eval(),
            torch.rand(4, 5, 16),
        ),
        "lstm": (nn.LSTM(8, 6, 2, batch_first=True, bidirectional=True).eval(), torch.rand(4, 5, 8)),
    }


def case(name, folder, config=None, export_config=None, change=None):
    """A correct case, unless `change` modifies the model that is converted but not the one that is dissected."""
    network, example = networks()[name]
    exported = export_any(network, (example,), export_config or ExportConfig())
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(exported.model, folder / "model.onnx")
    (port,) = exported.model.graph.input
    samples = {port.name: example.numpy()}
    converted = change(exported.model) if change else exported.model
    convert(LoadedModel(converted), folder, config or ConvertConfig(), samples, Monitor())
    many = {port.name: np.concatenate([example.numpy()] * 4)}
    return Case(folder / "model.onnx", exported.program, folder, samples, many, frozenset([port.name]))


def require_onnx_tf():
    """Skip the test if onnx-tf cannot be installed."""
    if sys.version_info >= (3, 12):
        pytest.skip("onnx-tf needs Python 3.11")
