"""Networks as people write them: settings of the process, precisions, and what is wrapped around a network."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from convnet_core.errors import ConfigError, ConversionError
from convnet_core.export.onnx_export import export_any
from convnet_core.onnx_files.model_file import inputs
from tests.export.written_networks import OPSET_18, Of, agrees, batches

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
    assert exported.fixed_batch_reason == ""
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
    with pytest.raises(ConfigError, match=f"forward returns {dtype}, which NumPy does not have"):
        export_any(Of(lambda _, x: (x, x.to(dtype))), (torch.rand(2, 3),), OPSET_18)


def test_a_sparse_output_is_one_line():
    with pytest.raises(ConfigError, match=r"forward returns a sparse torch.float32, which NumPy does not have"):
        export_any(Of(lambda _, x: x.to_sparse()), (torch.rand(2, 3),), OPSET_18)


def test_complex_outputs_are_pairs_and_that_is_said():
    exported = export_any(Of(lambda _, x: torch.fft.fft(x)), (torch.rand(2, 4),), OPSET_18)
    agrees(exported, lambda x: torch.view_as_real(torch.fft.fft(x)), torch.rand(3, 4))
    assert "real and imaginary parts" in exported.notes[0]


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
    assert (batches(exported), exported.fixed_batch_reason) == ([None], "")
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
