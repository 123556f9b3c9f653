"""PyTorch's modules in the Keras code: one function a class, parameters for what differs, loops for what repeats."""

import ast
import copy
import re

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from convnet_core.config.stages import ExportConfig
from convnet_core.convert.keras_source.source import write_source
from convnet_core.export.onnx_export import export_any
from tests.convert.keras_source.running import run


class Block(nn.Module):
    """A residual block; a stride or another width needs a shortcut."""

    def __init__(self, width, out, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(width, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(out, 2 * out, 1)
        self.shortcut = nn.Conv2d(width, 2 * out, 1, stride) if stride > 1 or width != 2 * out else None

    def forward(self, x):
        y = self.conv2(self.relu(self.bn1(self.conv1(x))))
        return self.relu(y + (x if self.shortcut is None else self.shortcut(x)))


class Residual(nn.Module):
    def __init__(self, depths=(3, 2)):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        blocks = []
        width = 8
        for stage, depth in enumerate(depths):
            for index in range(depth):
                blocks.append(Block(width, 4 * 2**stage, 2 if index == 0 and stage else 1))
                width = 8 * 2**stage
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(width, 5)

    def forward(self, image):
        return self.head(self.blocks(torch.relu(self.stem(image))).mean((2, 3)))


class Gate(nn.Module):
    """Squeeze and excitation."""

    def __init__(self, width):
        super().__init__()
        self.squeeze = nn.Conv2d(width, width // 2, 1)
        self.excite = nn.Conv2d(width // 2, width, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.excite(torch.relu(self.squeeze(x.mean((2, 3), keepdim=True)))))


class Mobile(nn.Module):
    def __init__(self, width, kernel, gated):
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, kernel, padding=kernel // 2, groups=width)
        self.activation = nn.Hardswish() if gated else nn.ReLU()
        self.gate = Gate(width) if gated else None
        self.point = nn.Conv2d(width, width, 1)

    def forward(self, x):
        y = self.activation(self.depthwise(x))
        y = self.gate(y) if self.gate else y
        return x + self.point(y)


class MobileNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([Mobile(4, 3, False), Mobile(4, 5, True), Mobile(4, 5, True), Mobile(4, 3, False)])

    def forward(self, image):
        for layer in self.layers:
            image = layer(image)
        return image.mean((2, 3))


class Transformer(nn.Module):
    def __init__(self, batch_first=True):
        super().__init__()
        self.batch_first = batch_first
        layer = nn.TransformerEncoderLayer(12, 3, 16, dropout=0.0, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)

    def forward(self, x):
        return self.encoder(x)


def export(network, *shape):
    torch.manual_seed(0)
    network.eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean += 0.1 * torch.randn_like(module.running_mean)
                module.running_var += 0.5 * torch.rand_like(module.running_var)
    return export_any(network, (torch.randn(2, *shape),), ExportConfig(fuse_batchnorm=False)).model


def assert_equal(model, *shape):
    """The Keras code gives ONNX Runtime's answers at batch 1 and 3; returns the code."""
    session = onnxruntime.InferenceSession(model.SerializeToString())
    for batch in (1, 3):
        x = np.random.default_rng(batch).standard_normal((batch, *shape)).astype(np.float32)
        (wanted,) = session.run(None, {session.get_inputs()[0].name: x})
        (got,), text = run(model, {session.get_inputs()[0].name: x})
        assert np.abs(got - wanted).max() <= 1e-5 * np.ptp(wanted)
    return text


@pytest.fixture(scope="module")
def residual():
    return assert_equal(export(Residual(), 3, 16, 16), 3, 16, 16)


def test_a_class_of_modules_becomes_one_function(residual):
    assert residual.count("def block(") == 1
    assert residual.count("def ") == 2  # and build


def test_what_the_calls_differ_in_becomes_parameters(residual):
    signature = next(line for line in residual.splitlines() if line.startswith("def block("))
    assert "filters" in signature
    assert "strides=1" in signature
    assert "2 * filters" in residual


def test_a_part_that_some_calls_lack_becomes_a_condition(residual):
    assert residual.count("shortcut") >= 1
    assert "if strides != 1:" in residual


def test_calls_in_a_row_become_a_loop(residual):
    assert 'for index in range(3):\n        x = block(x, name=f"blocks.{index}")' in residual


def test_layers_have_the_names_of_the_modules(residual):
    names = {"stem", "head"}
    assert all(f'name="{name}"' in residual for name in names)
    assert 'name=f"{name}.conv1"' in residual


@pytest.mark.slow
def test_a_deeper_network_needs_no_more_lines(residual):
    deep = write_source(export(Residual((9, 12)), 3, 16, 16)).text
    assert len(deep.splitlines()) <= len(residual.splitlines()) + 2


@pytest.mark.slow
def test_blocks_with_a_gate_and_another_activation():
    text = assert_equal(export(MobileNet(), 4, 8, 8), 4, 8, 8)
    assert text.count("def mobile(") == text.count("def gate(") == 1
    assert re.search(r"DepthwiseConv2D\(\s*kernel_size", text)
    assert "x = x\n" not in text


def test_attention_is_keras_s_layer():
    text = assert_equal(export(Transformer(), 7, 12), 7, 12)
    assert "MultiHeadAttention(3, 4" in text
    assert "for index in range(3):" in text
    assert "transpose" not in text


class Optional(nn.Module):
    """A block with a part that some blocks lack."""

    def __init__(self, width, has_extra):
        super().__init__()
        self.first, self.second = nn.Linear(width, width), nn.Linear(width, width)
        self.extra = nn.Linear(width, width) if has_extra else None

    def forward(self, x):
        x = torch.tanh(self.second(torch.relu(self.first(x))))
        return self.extra(x) if self.extra else x


def renamed(model, before, after):
    """The same model with another text in the names of its modules, weights and classes."""
    for node in model.graph.node:
        node.input[:] = [name.replace(before, after) for name in node.input]
        for item in node.metadata_props:
            if item.key.endswith(("name_scopes", "class_hierarchy")):
                item.value = repr([text.replace(before, after) for text in ast.literal_eval(item.value)])
    for tensor in model.graph.initializer:
        tensor.name = tensor.name.replace(before, after)
    return model


@pytest.fixture(scope="module")
def optional():
    return export(nn.Sequential(Optional(4, False), Optional(4, True), Optional(4, True)), 4)


@pytest.mark.parametrize("name", ["extra", "class", "x", "name", 'a"); __import__("os")\n#(', "{name}", "a, b/c\\"])
def test_the_name_of_a_module_stays_text(optional, name):
    text = assert_equal(renamed(copy.deepcopy(optional), "extra", name), 4)
    assert "if " in text
    assert max(map(len, text.splitlines())) <= 120
    assert not re.search(r"^\s*(__import__|#)", text, re.MULTILINE)


def test_the_name_of_a_class_becomes_an_identifier(optional):
    model = renamed(copy.deepcopy(optional), "Optional", "x(): __import__('os')  # ")
    text = assert_equal(model, 4)
    assert "def x_import_os(" in text
