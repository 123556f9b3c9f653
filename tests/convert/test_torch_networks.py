"""Networks as people write them in PyTorch: each is exported right, or refused in one clear line with a way on."""

import dataclasses
import sys
from typing import NamedTuple

import numpy as np
import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from convnet_core.config.stages import ExportConfig
from convnet_core.errors import ConfigError, ConversionError
from convnet_core.export.onnx_export import export_any
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


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


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


# -- what PyTorch does on its own account ---------------------------------------------------------------


def test_the_transformers_fast_path_is_off_while_an_export_is_judged():
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    encoder = nn.TransformerEncoder(layer, 1)

    class Padded(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.encoder = nn.Embedding(15, 8), encoder

        def forward(self, words):
            return self.encoder(self.table(words), src_key_padding_mask=words == 0)

    exported = export_any(Padded(), (torch.tensor([[1, 2, 3, 0, 0], [4, 5, 6, 7, 1]]),), OPSET_18)
    assert exported.max_abs_error < 1e-5
    assert exported.fixed == ""
    assert torch.backends.mha.get_fastpath_enabled()


def test_settings_of_the_process_are_not_the_networks():
    """A factory may switch on autocast, or products of less precision, for the whole process."""
    torch.set_autocast_enabled("cpu", True)
    torch.set_float32_matmul_precision("medium")
    try:
        model = nn.Linear(64, 3)
        exported = export_any(model, (torch.rand(2, 64),), OPSET_18)
        assert torch.is_autocast_enabled("cpu")
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_autocast_enabled("cpu", False)
        torch.set_float32_matmul_precision("highest")
    agrees(exported, model, torch.rand(4, 64))


# -- precision ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "within"), [(torch.float16, 2e-3), (torch.float64, 1e-12)])
def test_a_network_is_judged_by_its_own_precision(dtype, within):
    model = nn.Sequential(nn.Linear(8, 64), nn.LayerNorm(64), nn.SiLU(), nn.Linear(64, 3)).to(dtype)
    exported = export_any(model, (torch.randn(2, 8).to(dtype),), OPSET_18)
    assert exported.max_abs_error < within
    assert inputs(exported.model)[0].dtype == str(dtype)[6:]


@pytest.mark.parametrize(
    ("model", "operator", "dtype"),
    [
        (Of(lambda self, x: self.fc(x.bfloat16()).float(), fc=nn.Linear(8, 3).bfloat16()), "Gemm", "bfloat16"),
        (Of(lambda _, x: F.gelu(x.double()).float()), "Erf", "float64"),
    ],
)
def test_a_precision_that_onnx_runtime_lacks_is_one_line(model, operator, dtype):
    with pytest.raises(ConversionError, match=f"ONNX Runtime cannot run the export: .*{operator}") as caught:
        export_any(model, (torch.rand(2, 8),), OPSET_18)
    assert dtype in caught.value.hint


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float8_e4m3fn])
def test_an_output_without_an_array_is_one_line(dtype):
    with pytest.raises(ConfigError, match=f"forward returns {dtype}, which NumPy has not"):
        export_any(Of(lambda _, x: (x, x.to(dtype))), (torch.rand(2, 3),), OPSET_18)


def test_a_sparse_output_is_one_line():
    with pytest.raises(ConfigError, match=r"forward returns a sparse torch.float32, which NumPy has not"):
        export_any(Of(lambda _, x: x.to_sparse()), (torch.rand(2, 3),), OPSET_18)


def test_complex_outputs_are_pairs_and_that_is_said():
    exported = export_any(Of(lambda _, x: torch.fft.fft(x)), (torch.rand(2, 4),), OPSET_18)
    agrees(exported, lambda x: torch.view_as_real(torch.fft.fft(x)), torch.rand(3, 4))
    assert "pairs of real and imaginary parts" in exported.notes[0]


# -- wrappers -------------------------------------------------------------------------------------------


class Compiled(nn.Module):
    def __init__(self):
        super().__init__()
        self.inside = torch.compile(nn.Linear(4, 2))

    def forward(self, x):
        return self.inside(x) + 1


WRAPPED = {
    "DataParallel": lambda: nn.DataParallel(nn.Linear(4, 2)),
    "torch.compile": lambda: torch.compile(nn.Linear(4, 2)),
    "both": lambda: torch.compile(nn.DataParallel(nn.Linear(4, 2))),
    "a part compiled": Compiled,
}


@pytest.mark.parametrize("name", WRAPPED)
def test_wrappers_are_taken_off(name):
    model = WRAPPED[name]()
    exported = export_any(model, (torch.rand(2, 4),), OPSET_18)
    assert (batches(exported), exported.fixed) == ([None], "")
    with torch.compiler.set_stance("force_eager"):
        agrees(exported, model, torch.rand(3, 4))


@pytest.mark.parametrize("make", [torch.jit.script, lambda net: torch.jit.trace(net, torch.rand(1, 4))])
@pytest.mark.parametrize("inside", [True, False])
def test_torchscript_is_one_line(make, inside):
    program = make(nn.Linear(4, 2))
    model = Of(lambda self, x: self.part(x), part=program) if inside else program
    with pytest.raises(ConfigError, match=f"{'part' if inside else 'the network'} is a TorchScript program"):
        export_any(model, (torch.rand(2, 4),), OPSET_18)


def test_a_quantized_network_is_one_line():
    model = torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(4, 3)), {nn.Linear})
    with pytest.raises(ConfigError, match=r"0 is quantized \(Linear\)") as caught:
        export_any(model, (torch.rand(2, 4),), OPSET_18)
    assert "convert" in caught.value.hint


def test_weights_without_values_are_one_line():
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(4, 3))
    with pytest.raises(ConfigError, match="weight of 0 has no values"):
        export_any(model, (torch.rand(2, 4),), OPSET_18)


# -- what goes in and what comes out --------------------------------------------------------------------


def test_any_number_of_inputs():
    class Sum(nn.Module):
        def forward(self, *items, **named):
            return sum(items) + sum(named.values())

    exported = export_any(Sum(), (torch.rand(2, 3), torch.rand(2, 3)), OPSET_18, {"more": torch.rand(2, 3)})
    assert (batches(exported), exported.fixed) == ([None] * 3, "")
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
    assert exported.notes == ("what forward returns beside its tensors (NoneType, int, str) is not in the export",)


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
    assert "no first dimension in common" in exported.fixed


def test_layers_whose_sizes_come_with_the_first_input():
    exported = export_any(nn.Sequential(nn.LazyLinear(3), nn.ReLU()), (torch.rand(2, 4),), OPSET_18)
    assert batches(exported) == [None]


# -- the batch ------------------------------------------------------------------------------------------


def test_why_a_batch_is_fixed_is_said_in_the_networks_own_words():
    model = Of(lambda self, x: self.rnn(x, torch.zeros(1, 2, 5))[0], rnn=nn.GRU(4, 5, batch_first=True))
    exported = export_any(model, (torch.rand(2, 6, 4),), OPSET_18)
    assert batches(exported) == [2]
    assert exported.fixed == (
        "its forward fails with 5 samples: RuntimeError: Expected hidden size (1, 5, 5), got [1, 2, 5]"
    )


def test_a_network_with_another_answer_for_one_sample_is_not_dynamic():
    exported = export_any(Of(lambda _, x: x * 2 if x.shape[0] > 1 else x), (torch.rand(2, 3),), OPSET_18)
    assert batches(exported) == [2]
    assert "for a batch of 1 the export does not give PyTorch's answer" in exported.fixed


def test_a_dimension_that_goes_with_a_batch_of_one():
    exported = export_any(Of(lambda self, x: self.fc(x).squeeze(), fc=nn.Linear(3, 1)), (torch.rand(2, 3),), OPSET_18)
    assert batches(exported) == [None]


# -- what cannot be exported ----------------------------------------------------------------------------


class Distances(nn.Module):
    def forward(self, x):
        return torch.cdist(x, x)


@pytest.mark.parametrize(
    ("make", "says", "way"),
    [
        (
            lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveMaxPool2d(2)),
            r"no ONNX form of aten::adaptive_max_pool2d, in 1 \(AdaptiveMaxPool2d\)",
            "nn.MaxPool2d",
        ),
        (
            lambda: nn.Sequential(nn.Identity(), Distances()),
            r"aten::_cdist_forward, in 1 \(Distances\) at test_torch_networks.py:\d+: return torch.cdist\(x, x\)",
            "unsqueeze",
        ),
    ],
)
def test_an_operator_that_the_exporter_lacks_is_named_with_its_module(make, says, way):
    with pytest.raises(ConversionError, match=says) as caught:
        export_any(make(), (torch.rand(2, 3, 7, 10),), OPSET_18)
    assert way in caught.value.hint


def test_an_opset_that_would_do_is_suggested():
    from torchvision.ops import DeformConv2d

    model = Of(
        lambda self, x: self.deform(x, self.offset(x)),
        deform=DeformConv2d(3, 4, 3, padding=1),
        offset=nn.Conv2d(3, 18, 3, padding=1),
    )
    with pytest.raises(ConversionError, match="DeformConv, which is not in opset 18") as caught:
        export_any(model, (torch.rand(2, 3, 5, 5),), OPSET_18)
    assert caught.value.hint == "--opset 19"
    agrees(export_any(model, (torch.rand(2, 3, 5, 5),), ExportConfig(opset=19)), model, torch.rand(3, 3, 5, 5))


def test_code_that_depends_on_values_is_named_by_its_line():
    def forward(_, x):
        if x.sum() > 0:
            return x * 2
        return x

    with pytest.raises(ConversionError, match=r"values of a tensor at test_torch_networks.py:\d+: if x.sum\(\) > 0"):
        export_any(Of(forward), (torch.rand(2, 3),), OPSET_18)


@pytest.mark.parametrize(
    "function",
    [lambda _, x: x + torch.rand(3), lambda _, x: F.dropout(x), lambda _, x: F.gumbel_softmax(x, hard=True)],
)
def test_random_numbers_are_said_to_be_random(function):
    with pytest.raises(ConfigError, match="draws random numbers"):
        export_any(Of(function), (torch.rand(2, 3),), OPSET_18)


def test_a_network_that_keeps_a_state_is_one_line():
    class Counter(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("count", torch.zeros(3))

        def forward(self, x):
            self.count += 1
            return x + self.count

    with pytest.raises(ConfigError, match="keeps a state"):
        export_any(Counter(), (torch.rand(2, 3),), OPSET_18)


def test_a_failure_of_the_exporter_names_the_line():
    def forward(self, x):
        packed = nn.utils.rnn.pack_padded_sequence(x, (x[:, 0, 0] * 0 + 3).long(), batch_first=True)
        return self.rnn(packed)[1]

    with pytest.raises(ConversionError, match=r"failed at test_torch_networks.py:\d+: return self.rnn") as caught:
        export_any(Of(forward, rnn=nn.GRU(4, 5, batch_first=True)), (torch.rand(2, 3, 4),), OPSET_18)
    assert "\n" not in str(caught.value)


def test_a_program_that_was_exported_already_is_one_line():
    program = torch.export.export(nn.Linear(3, 3), (torch.rand(2, 3),)).module()
    with pytest.raises(ConfigError, match="Calling eval"):
        export_any(program, (torch.rand(2, 3),), OPSET_18)
