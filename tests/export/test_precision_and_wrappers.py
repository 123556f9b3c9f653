"""User-written networks: process-wide settings, precisions and wrappers."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from convnet_core.errors import ConfigError, ConversionError
from convnet_core.export.onnx_export import export_any
from convnet_core.onnx_files.model_file import inputs
from tests.export.export_checks import OPSET_18, FunctionNet, assert_agrees, batches

# -- process-wide settings ------------------------------------------------------------------------------


def test_the_transformer_fast_path_is_off_while_an_export_is_checked():
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


def test_process_wide_settings_do_not_affect_an_export():
    """A factory may turn on autocast or lower-precision matrix products for the whole process."""
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
    assert_agrees(exported, model, torch.rand(4, 64))


# -- precision ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "max_error"), [(torch.float16, 2e-3), (torch.float64, 1e-12)])
def test_an_export_keeps_the_networks_precision(dtype, max_error):
    model = nn.Sequential(nn.Linear(8, 64), nn.LayerNorm(64), nn.SiLU(), nn.Linear(64, 3)).to(dtype)
    exported = export_any(model, (torch.randn(2, 8).to(dtype),), OPSET_18)
    assert exported.max_abs_error < max_error
    assert inputs(exported.model)[0].dtype == str(dtype)[6:]


@pytest.mark.parametrize(
    ("model", "operator", "dtype"),
    [
        (FunctionNet(lambda self, x: self.fc(x.bfloat16()).float(), fc=nn.Linear(8, 3).bfloat16()), "Gemm", "bfloat16"),
        (FunctionNet(lambda _, x: F.gelu(x.double()).float()), "Erf", "float64"),
    ],
)
def test_a_precision_that_onnx_runtime_lacks_is_a_one_line_error(model, operator, dtype):
    with pytest.raises(ConversionError, match=f"ONNX Runtime cannot run the export: .*{operator}") as caught:
        export_any(model, (torch.rand(2, 8),), OPSET_18)
    assert dtype in caught.value.hint


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float8_e4m3fn])
def test_an_output_dtype_that_numpy_lacks_is_a_one_line_error(dtype):
    with pytest.raises(ConfigError, match=f"forward returns {dtype}, which NumPy does not have"):
        export_any(FunctionNet(lambda _, x: (x, x.to(dtype))), (torch.rand(2, 3),), OPSET_18)


def test_a_sparse_output_is_a_one_line_error():
    with pytest.raises(ConfigError, match=r"forward returns a sparse torch.float32, which NumPy does not have"):
        export_any(FunctionNet(lambda _, x: x.to_sparse()), (torch.rand(2, 3),), OPSET_18)


def test_complex_outputs_become_pairs_with_a_note():
    exported = export_any(FunctionNet(lambda _, x: torch.fft.fft(x)), (torch.rand(2, 4),), OPSET_18)
    assert_agrees(exported, lambda x: torch.view_as_real(torch.fft.fft(x)), torch.rand(3, 4))
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
    "DataParallel in torch.compile": lambda: torch.compile(nn.DataParallel(nn.Linear(4, 2))),
    "a compiled submodule": Compiled,
}


@pytest.mark.parametrize("name", WRAPPED)
def test_wrappers_are_removed(name):
    model = WRAPPED[name]()
    exported = export_any(model, (torch.rand(2, 4),), OPSET_18)
    assert (batches(exported), exported.fixed_batch_reason) == ([None], "")
    with torch.compiler.set_stance("force_eager"):
        assert_agrees(exported, model, torch.rand(3, 4))


@pytest.mark.parametrize("make", [torch.jit.script, lambda net: torch.jit.trace(net, torch.rand(1, 4))])
@pytest.mark.parametrize("inside", [True, False])
def test_torchscript_is_a_one_line_error(make, inside):
    program = make(nn.Linear(4, 2))
    model = FunctionNet(lambda self, x: self.part(x), part=program) if inside else program
    with pytest.raises(ConfigError, match=f"{'part' if inside else 'the network'} is a TorchScript program"):
        export_any(model, (torch.rand(2, 4),), OPSET_18)


def test_a_quantized_network_is_a_one_line_error():
    model = torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(4, 3)), {nn.Linear})
    with pytest.raises(ConfigError, match=r"0 is quantized \(Linear\)") as caught:
        export_any(model, (torch.rand(2, 4),), OPSET_18)
    assert "convert" in caught.value.hint


def test_weights_without_values_are_a_one_line_error():
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(4, 3))
    with pytest.raises(ConfigError, match="weight of 0 has no values"):
        export_any(model, (torch.rand(2, 4),), OPSET_18)
