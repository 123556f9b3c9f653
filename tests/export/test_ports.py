"""User-written networks: inputs, outputs and the batch dimension."""

import dataclasses
import sys
from typing import NamedTuple

import pytest
import torch
from torch import nn

from convnet_core.errors import ConfigError
from convnet_core.export.onnx_export import export_any
from convnet_core.onnx_files.model_file import inputs
from tests.export.export_checks import OPSET_18, FunctionNet, assert_agrees, batches

# -- inputs and outputs ---------------------------------------------------------------------------------


def test_any_number_of_inputs():
    class Sum(nn.Module):
        def forward(self, *items, **named):
            return sum(items) + sum(named.values())

    exported = export_any(Sum(), (torch.rand(2, 3), torch.rand(2, 3)), OPSET_18, {"more": torch.rand(2, 3)})
    assert (batches(exported), exported.fixed_batch_reason) == ([None] * 3, "")
    assert_agrees(exported, lambda *items: sum(items), *torch.rand(3, 4, 3))


class Named(nn.Module):
    def forward(self, x, bias=None, *, scale):
        return x * scale if bias is None else x * scale - bias


@pytest.mark.parametrize(
    ("positional", "by_name", "order"),
    [
        ("x bias scale", "", "x bias scale"),
        ("x", "scale", "x scale"),
        ("", "scale bias x", "x bias scale"),
    ],
)
def test_inputs_by_name(positional, by_name, order):
    example = tuple(torch.rand(2, 3) for _ in positional.split())
    exported = export_any(Named(), example, OPSET_18, {name: torch.rand(2, 3) for name in by_name.split()})
    assert " ".join(info.name for info in inputs(exported.model)) == order
    assert set(batches(exported)) == {None}


def test_a_wrong_number_of_inputs_is_a_one_line_error():
    with pytest.raises(ConfigError, match=r"2 example tensors do not fit forward\(input.*too many"):
        export_any(nn.Linear(3, 3), (torch.rand(2, 3), torch.rand(2, 3)), OPSET_18)


def test_an_example_that_does_not_run_is_a_one_line_error():
    with pytest.raises(ConfigError, match=r"does not run on its example \(float32 \[2, 4\]\): RuntimeError") as caught:
        export_any(nn.Linear(3, 3), (torch.rand(2, 4),), OPSET_18)
    assert "--example" in caught.value.hint


def test_a_forward_that_calls_sys_exit_is_a_one_line_error():
    with pytest.raises(ConfigError, match="SystemExit: 3"):
        export_any(FunctionNet(lambda *_: sys.exit(3)), (torch.rand(2, 4),), OPSET_18)


class Pair(NamedTuple):
    twice: torch.Tensor
    more: torch.Tensor


@dataclasses.dataclass
class Record:
    twice: torch.Tensor
    pair: Pair


def test_outputs_in_containers_keep_their_order():
    exported = export_any(
        FunctionNet(lambda _, x: {"b": Record(x * 2, Pair(x + 1, x - 1)), "a": [x * 3]}), (torch.rand(2, 3),), OPSET_18
    )
    assert_agrees(exported, lambda x: (x * 2, x + 1, x - 1, x * 3), torch.rand(4, 3))
    assert exported.notes == ()


def test_outputs_that_are_not_tensors_are_left_out_with_a_note():
    exported = export_any(
        FunctionNet(lambda _, x: (3, x * 2, None, x.shape[0], "a", x + 1)), (torch.rand(2, 3),), OPSET_18
    )
    assert_agrees(exported, lambda x: (x * 2, x + 1), torch.rand(4, 3))
    assert exported.notes == ("the export leaves out what forward returns besides tensors (NoneType, int, str)",)


def test_a_network_that_returns_no_tensor_is_a_one_line_error():
    with pytest.raises(ConfigError, match="returns no tensor, but int"):
        export_any(FunctionNet(lambda _, x: x.shape[0]), (torch.rand(2, 3),), OPSET_18)


def test_a_forward_that_changes_its_input_in_place():
    exported = export_any(FunctionNet(lambda _, x: x.mul_(2) + 1), (torch.rand(2, 3),), OPSET_18)
    assert_agrees(exported, lambda x: x * 2 + 1, torch.rand(4, 3))


def test_a_scalar_next_to_a_batch_makes_the_batch_fixed():
    class Scaled(nn.Module):
        def forward(self, x, factor):
            return x * factor

    exported = export_any(Scaled(), (torch.rand(2, 3), torch.tensor(3.0)), OPSET_18)
    assert_agrees(exported, lambda x, factor: x * factor, torch.rand(2, 3), torch.tensor(0.5))
    assert "no first dimension in common" in exported.fixed_batch_reason


def test_lazy_layers_get_their_sizes_from_the_example():
    exported = export_any(nn.Sequential(nn.LazyLinear(3), nn.ReLU()), (torch.rand(2, 4),), OPSET_18)
    assert batches(exported) == [None]


# -- the batch ------------------------------------------------------------------------------------------


def test_the_reason_for_a_fixed_batch_quotes_the_networks_error():
    model = FunctionNet(lambda self, x: self.rnn(x, torch.zeros(1, 2, 5))[0], rnn=nn.GRU(4, 5, batch_first=True))
    exported = export_any(model, (torch.rand(2, 6, 4),), OPSET_18)
    assert batches(exported) == [2]
    assert exported.fixed_batch_reason == (
        "its forward fails with 5 samples: RuntimeError: Expected hidden size (1, 5, 5), got [1, 2, 5]"
    )


def test_a_network_that_treats_one_sample_differently_has_a_fixed_batch():
    exported = export_any(FunctionNet(lambda _, x: x * 2 if x.shape[0] > 1 else x), (torch.rand(2, 3),), OPSET_18)
    assert batches(exported) == [2]
    assert "for a batch of 1 the export's result differs from PyTorch's" in exported.fixed_batch_reason


def test_a_network_that_squeezes_a_batch_of_one_has_a_dynamic_batch():
    exported = export_any(
        FunctionNet(lambda self, x: self.fc(x).squeeze(), fc=nn.Linear(3, 1)), (torch.rand(2, 3),), OPSET_18
    )
    assert batches(exported) == [None]
