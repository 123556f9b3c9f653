"""The networks whose artifacts other releases open, with inputs and expected outputs."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from convnet_core.common.files import write_json
from convnet_core.config.stages import ConvertConfig, ModelConfig
from convnet_core.convert import convert
from convnet_core.convert.loaded_model import LoadedModel
from convnet_core.convert.signature import Signature
from convnet_core.events import Monitor
from convnet_core.networks.convnet import build
from convnet_core.onnx_files import model_file
from convnet_core.runtimes.litert import LiteRT
from convnet_core.runtimes.onnxruntime import OnnxRuntime
from convnet_core.tensors.arrays import Feeds
from testing.zoo import export
from testing.zoo_networks import randomize, recipes

BATCH = 3
CALIBRATION = 32
_WORDS = 100


class Transformer(nn.Module):
    """Words [batch, 12] int64 → features [batch, 12, 32]."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(_WORDS, 32)
        layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True, activation="gelu")
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, words: Tensor) -> Tensor:
        encoded: Tensor = self.encoder(self.embedding(words))
        return encoded


class Recurrent(nn.Module):
    """Steps float32 [batch, 10, 8] → features [batch, 10, 32], a bidirectional LSTM."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(8, 16, num_layers=2, bidirectional=True, batch_first=True)

    def forward(self, steps: Tensor) -> Tensor:
        features: Tensor = self.lstm(steps)[0]
        return features


@dataclass(frozen=True)
class Network:
    """A network in eval mode and its inputs [n, ...]; the first two samples are used for export."""

    name: str
    what: str
    model: nn.Module
    samples: Tensor


def networks() -> list[Network]:
    """All networks, with random parameters."""
    generator = torch.Generator().manual_seed(0)
    zoo = {recipe.name: recipe for recipe in recipes()}
    count = BATCH + CALIBRATION
    words = torch.randint(_WORDS, (count, 12), generator=generator)
    steps = torch.randn(count, 10, 8, generator=generator)
    images = torch.rand(count, 1, 28, 28, generator=generator)
    result = [Network("convnet", "our ConvNet", build(ModelConfig(), seed=0), images)]
    for name, what in (("resnet18", "ResNet-18"), ("mobilenet_v3_small", "MobileNetV3 with hard swish")):
        result.append(Network(name, what, zoo[name].build(), *zoo[name].inputs(count, 1)))
    for name, what, model, samples in (
        ("transformer", "a transformer encoder with int64 token inputs", Transformer(), words),
        ("lstm", "a bidirectional LSTM with two layers", Recurrent(), steps),
    ):
        randomize(model, generator)
        result.append(Network(name, what, model, samples))
    for network in result:
        network.model.eval()
    return result


def write(network: Network, folder: Path) -> None:
    """Write every artifact, the TensorFlow Serving layout (`model/1/`), and .npz files of inputs and expected outputs.

    The expected outputs are ONNX Runtime's for float32, and today's LiteRT's for fp16 and int8.
    """
    folder.mkdir(parents=True)
    assert export(network.model, (network.samples[:2],), folder / "model.onnx"), f"{network.name}: the batch is fixed"
    model = model_file.load(folder / "model.onnx")
    signature = Signature.of(model)
    (port,) = signature.inputs
    samples = network.samples.numpy()
    feeds: Feeds = {port.onnx: samples[:BATCH]}
    done = convert.convert(LoadedModel(model), folder, ConvertConfig(), {port.onnx: samples[BATCH:]}, Monitor())
    shutil.copytree(folder / "saved_model", folder / "model/1")

    inputs: dict[str, Any] = {port.tensorflow: feeds[port.onnx]}
    np.savez(folder / "inputs.npz", **inputs)
    expected = {"float32": OnnxRuntime(folder / "model.onnx").infer(feeds)}
    for kind in ("fp16", "int8"):
        file = f"model.{kind}.tflite"
        if file not in done.failed:
            expected[kind] = LiteRT(folder / file, kind, "native").infer(feeds)
    for kind, answers in expected.items():
        named: dict[str, Any] = {port.tensorflow: answers[port.onnx] for port in signature.outputs}
        np.savez(folder / f"expected.{kind}.npz", **named)
    write_json(folder / "what.json", {"what": network.what, "failed": done.failed})
