"""Networks as people write them: what goes in, what comes out, and the batch."""

import dataclasses
import sys
from typing import NamedTuple

import pytest
import torch
from torch import nn

from convnet_core.errors import ConfigError
from convnet_core.export.onnx_export import export_any
from convnet_core.onnx_files.model_file import inputs
from tests.export.written_networks import OPSET_18, Of, agrees, batches

# -- what goes in and what comes out --------------------------------------------------------------------


def test_any_number_of_inputs():
    class Sum(nn.Module):
        def forward(self, *items, **named):
            return sum(items) + sum(named.values())

    exported = export_any(Sum(), (torch.rand(2, 3), torch.rand(2, 3)), OPSET_18, {"more": torch.rand(2, 3)})
    assert (batches(exported), exported.fixed_batch_reason) == ([None] * 3, "")
    agrees(exported, lambda *items: sum(items), *torch.rand(3, 4, 3))


class Named(nn.Module):
    def forward(self, x, bias=None, *, scale):
        return x * scale if bias is None else x * scale - bias


@pytest.mark.parametrize(
    ("by_place", "by_name", "order"),
    [
        ("x bias scale", "", "x bias scale"),
        ("x", "scale", "x scale"),
        ("", "scale bias x", "x bias scale"),
    ],
)
def test_inputs_by_name(by_place, by_name, order):
    example = tuple(torch.rand(2, 3) for _ in by_place.split())
    exported = export_any(Named(), example, OPSET_18, {name: torch.rand(2, 3) for name in by_name.split()})
    assert " ".join(info.name for info in inputs(exported.model)) == order
    assert set(batches(exported)) == {None}


def test_a_wrong_number_of_inputs_is_one_line():
    with pytest.raises(ConfigError, match=r"2 example tensors do not fit forward\(input.*too many"):
        export_any(nn.Linear(3, 3), (torch.rand(2, 3), torch.rand(2, 3)), OPSET_18)


def test_an_example_that_does_not_run_is_one_line():
    with pytest.raises(ConfigError, match=r"does not run on its example \(float32 \[2, 4\]\): RuntimeError") as caught:
        export_any(nn.Linear(3, 3), (torch.rand(2, 4),), OPSET_18)
    assert "--example" in caught.value.hint


def test_a_forward_that_leaves_python_is_one_line():
    with pytest.raises(ConfigError, match="SystemExit: 3"):
        export_any(Of(lambda *_: sys.exit(3)), (torch.rand(2, 4),), OPSET_18)


class Pair(NamedTuple):
    twice: torch.Tensor
    more: torch.Tensor


@dataclasses.dataclass
class Record:
    twice: torch.Tensor
    pair: Pair


def test_outputs_in_containers_come_in_their_order():
    exported = export_any(
        Of(lambda _, x: {"b": Record(x * 2, Pair(x + 1, x - 1)), "a": [x * 3]}), (torch.rand(2, 3),), OPSET_18
    )
    agrees(exported, lambda x: (x * 2, x + 1, x - 1, x * 3), torch.rand(4, 3))
    assert exported.notes == ()


def test_what_is_no_tensor_is_left_out_and_said():
    exported = export_any(Of(lambda _, x: (3, x * 2, None, x.shape[0], "a", x + 1)), (torch.rand(2, 3),), OPSET_18)
    agrees(exported, lambda x: (x * 2, x + 1), torch.rand(4, 3))
    assert exported.notes == ("the export leaves out what forward returns besides tensors (NoneType, int, str)",)


def test_a_network_that_returns_no_tensor_is_one_line():
    with pytest.raises(ConfigError, match="returns no tensor, but int"):
        export_any(Of(lambda _, x: x.shape[0]), (torch.rand(2, 3),), OPSET_18)


def test_a_forward_that_writes_into_its_input():
    exported = export_any(Of(lambda _, x: x.mul_(2) + 1), (torch.rand(2, 3),), OPSET_18)
    agrees(exported, lambda x: x * 2 + 1, torch.rand(4, 3))


def test_a_scalar_beside_a_batch():
    class Scaled(nn.Module):
        def forward(self, x, factor):
            return x * factor

    exported = export_any(Scaled(), (torch.rand(2, 3), torch.tensor(3.0)), OPSET_18)
    agrees(exported, lambda x, factor: x * factor, torch.rand(2, 3), torch.tensor(0.5))
    assert "no first dimension in common" in exported.fixed_batch_reason


def test_layers_whose_sizes_come_with_the_first_input():
    exported = export_any(nn.Sequential(nn.LazyLinear(3), nn.ReLU()), (torch.rand(2, 4),), OPSET_18)
    assert batches(exported) == [None]


# -- the batch ------------------------------------------------------------------------------------------


def test_why_a_batch_is_fixed_is_said_in_the_networks_own_words():
    model = Of(lambda self, x: self.rnn(x, torch.zeros(1, 2, 5))[0], rnn=nn.GRU(4, 5, batch_first=True))
    exported = export_any(model, (torch.rand(2, 6, 4),), OPSET_18)
    assert batches(exported) == [2]
    assert exported.fixed_batch_reason == (
        "its forward fails with 5 samples: RuntimeError: Expected hidden size (1, 5, 5), got [1, 2, 5]"
    )


def test_a_network_with_another_answer_for_one_sample_is_not_dynamic():
    exported = export_any(Of(lambda _, x: x * 2 if x.shape[0] > 1 else x), (torch.rand(2, 3),), OPSET_18)
    assert batches(exported) == [2]
    assert "for a batch of 1 the export's result differs from PyTorch's" in exported.fixed_batch_reason


def test_a_dimension_that_goes_with_a_batch_of_one():
    exported = export_any(Of(lambda self, x: self.fc(x).squeeze(), fc=nn.Linear(3, 1)), (torch.rand(2, 3),), OPSET_18)
    assert batches(exported) == [None]
