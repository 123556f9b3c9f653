"""Networks that cannot be exported: each gives a one-line error with a hint."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from convnet_core.config.stages import ExportConfig
from convnet_core.errors import ConfigError, ConversionError
from convnet_core.export.onnx_export import export_any
from tests.export.export_checks import OPSET_18, FunctionNet, assert_agrees


class Distances(nn.Module):
    def forward(self, x):
        return torch.cdist(x, x)


@pytest.mark.parametrize(
    ("make", "message", "hint"),
    [
        (
            lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveMaxPool2d(2)),
            r"no ONNX form of aten::adaptive_max_pool2d, in 1 \(AdaptiveMaxPool2d\)",
            "nn.MaxPool2d",
        ),
        (
            lambda: nn.Sequential(nn.Identity(), Distances()),
            r"aten::_cdist_forward, in 1 \(Distances\) at test_refusals.py:\d+: return torch.cdist\(x, x\)",
            "unsqueeze",
        ),
    ],
)
def test_an_unsupported_operator_is_named_with_its_module(make, message, hint):
    with pytest.raises(ConversionError, match=message) as caught:
        export_any(make(), (torch.rand(2, 3, 7, 10),), OPSET_18)
    assert hint in caught.value.hint


def test_an_opset_that_has_the_operator_is_suggested():
    from torchvision.ops import DeformConv2d

    model = FunctionNet(
        lambda self, x: self.deform(x, self.offset(x)),
        deform=DeformConv2d(3, 4, 3, padding=1),
        offset=nn.Conv2d(3, 18, 3, padding=1),
    )
    with pytest.raises(ConversionError, match="DeformConv, which is not in opset 18") as caught:
        export_any(model, (torch.rand(2, 3, 5, 5),), OPSET_18)
    assert caught.value.hint == "use --opset 19"
    assert_agrees(export_any(model, (torch.rand(2, 3, 5, 5),), ExportConfig(opset=19)), model, torch.rand(3, 3, 5, 5))


def test_control_flow_on_tensor_values_is_named_with_its_line():
    def forward(_, x):
        if x.sum() > 0:
            return x * 2
        return x

    with pytest.raises(ConversionError, match=r"values of a tensor at test_refusals.py:\d+: if x.sum\(\) > 0"):
        export_any(FunctionNet(forward), (torch.rand(2, 3),), OPSET_18)


@pytest.mark.parametrize(
    "function",
    [lambda _, x: x + torch.rand(3), lambda _, x: F.dropout(x), lambda _, x: F.gumbel_softmax(x, hard=True)],
)
def test_a_network_that_draws_random_numbers_is_refused(function):
    with pytest.raises(ConfigError, match="draws random numbers"):
        export_any(FunctionNet(function), (torch.rand(2, 3),), OPSET_18)


def test_a_stateful_network_is_a_one_line_error():
    class Counter(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("count", torch.zeros(3))

        def forward(self, x):
            self.count += 1
            return x + self.count

    with pytest.raises(ConfigError, match="keeps a state"):
        export_any(Counter(), (torch.rand(2, 3),), OPSET_18)


def test_an_exporter_error_names_the_line():
    def forward(self, x):
        packed = nn.utils.rnn.pack_padded_sequence(x, (x[:, 0, 0] * 0 + 3).long(), batch_first=True)
        return self.rnn(packed)[1]

    with pytest.raises(ConversionError, match=r"failed at test_refusals.py:\d+: return self.rnn") as caught:
        export_any(FunctionNet(forward, rnn=nn.GRU(4, 5, batch_first=True)), (torch.rand(2, 3, 4),), OPSET_18)
    assert "\n" not in str(caught.value)


def test_an_already_exported_program_is_a_one_line_error():
    program = torch.export.export(nn.Linear(3, 3), (torch.rand(2, 3),)).module()
    with pytest.raises(ConfigError, match="Calling eval"):
        export_any(program, (torch.rand(2, 3),), OPSET_18)
