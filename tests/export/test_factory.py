"""A user's PyTorch network, built by a factory function: exported, converted and compared."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from convnet_core.config.stages import ExportConfig
from convnet_core.errors import ConfigError
from convnet_core.export import factory
from convnet_core.export.onnx_export import export_any
from convnet_core.onnx_files.model_file import inputs
from tests.conftest import convnet

USER_NETS = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.fc = nn.Embedding(7, 4), nn.Linear(8, 3)

    def forward(self, words, features):
        combined = torch.cat([self.table(words).mean(1), features], 1)
        return {"scores": self.fc(combined), "combined": combined}

def make():
    torch.manual_seed(0)
    return Net()

def with_example():
    return make(), (torch.tensor([[1, 2, 3]]), torch.zeros(1, 4))

def broken():
    raise RuntimeError("no weights here")

def no_tensors():
    return make(), 5

def exits():
    raise SystemExit(0)

def complex_numbers():
    return nn.Identity(), torch.zeros(2, 4, dtype=torch.complex64)

def half():
    return nn.Linear(4, 2).bfloat16(), torch.zeros(2, 4, dtype=torch.bfloat16)
"""


@pytest.fixture
def user_nets_folder(tmp_path, monkeypatch):
    (tmp_path / "user_nets.py").write_text(USER_NETS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


def test_a_network_is_exported_converted_compared_and_refreshed(user_nets_folder):
    run = user_nets_folder / "run"
    done = convnet("export", "--factory", "user_nets:with_example", "--run", run, "--json")
    result = json.loads(done.stdout)
    assert result["max_abs_error"] < 1e-5
    convnet("convert", "--run", run)
    report = json.loads(convnet("compare", "--run", run, "--samples", 5, "--json").stdout)
    assert report["verdict"] == "agree"
    done = convnet("refresh", "--run", run)
    assert "everything is up to date" in done.stdout


def test_example_flags_describe_the_inputs(user_nets_folder):
    flags = ["--example", "int64:2,5", "--example", "2,4"]
    done = convnet("export", "--factory", "user_nets:make", *flags, "--run", user_nets_folder / "run", "--json")
    assert json.loads(done.stdout)["nodes"] > 3


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["user_nets:make"], "the inputs of the network"),
        (["user_nets:nothing"], "has no function 'nothing'"),
        (["nowhere:make"], "nowhere cannot be imported: ModuleNotFoundError"),
        (["user_nets"], "takes package.module:function"),
        (["user_nets:broken"], "raised RuntimeError: no weights here"),
        (["user_nets:no_tensors"], "must be tensors"),
        (["user_nets:exits"], "raised SystemExit"),
        (["user_nets:half"], "which NumPy does not have"),
        (["user_nets:Net", "--example", "2,-4"], "takes a shape, a dtype and a shape, or a file"),
        (["user_nets:Net", "--example", "two,4"], "takes a shape, a dtype and a shape, or a file"),
        (["user_nets:Net", "--example", "words:2,4"], "'words' is not a PyTorch dtype"),
        (["user_nets:Net", "--example", "x.npy"], "cannot be read"),
        (["user_nets:Net", "--example", "2,4"], "1 example tensor does not fit forward(words, features)"),
        (["user_nets:complex_numbers"], "takes complex numbers (torch.complex64)"),
    ],
)
def test_bad_arguments_give_a_one_line_error_and_no_run(user_nets_folder, flags, message):
    done = convnet("export", "--factory", *flags, "--run", user_nets_folder / "run", check=2)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (user_nets_folder / "run").exists()


def test_example_without_a_factory_is_refused(tmp_path):
    assert "--factory" in convnet("export", "--example", "2,3", "--run", tmp_path, check=2).stderr


def test_the_batch_is_dynamic_even_if_the_example_has_one_sample():
    exported = export_any(nn.Linear(4, 2), (torch.rand(1, 4),), ExportConfig())
    assert [info.shape for info in inputs(exported.model)] == [(None, 4)]
    assert exported.fixed_batch_reason == ""


def test_a_fixed_batch_has_a_reason():
    class Fixed(nn.Module):
        def forward(self, x):
            return x.reshape(2, 4) + torch.arange(2.0)[:, None]

    exported = export_any(Fixed(), (torch.rand(2, 4),), ExportConfig())
    assert [info.shape for info in inputs(exported.model)] == [(2, 4)]
    assert exported.fixed_batch_reason


def test_a_network_for_one_sample_keeps_its_batch_of_one():
    class One(nn.Module):
        def forward(self, x):
            return x.reshape(1, 4) * 2

    exported = export_any(One(), (torch.rand(1, 4),), ExportConfig())
    assert [info.shape for info in inputs(exported.model)] == [(1, 4)]
    assert exported.fixed_batch_reason


def test_infinite_outputs_must_match_too():
    class Masked(nn.Module):
        def forward(self, x):
            return torch.where(x > 0.5, x, float("-inf")), (x * 1000).long()

    assert export_any(Masked(), (torch.rand(2, 4),), ExportConfig()).max_abs_error == 0


def test_inputs_without_a_common_batch_have_fixed_shapes():
    class Two(nn.Module):
        def forward(self, x, y):
            return x @ y

    exported = export_any(Two(), (torch.rand(2, 3), torch.rand(3, 4)), ExportConfig())
    assert [info.shape for info in inputs(exported.model)] == [(2, 3), (3, 4)]
    assert "first dimension" in exported.fixed_batch_reason


def test_an_example_is_a_shape_with_an_optional_dtype_or_a_file(tmp_path):
    assert factory.example("2,3").shape == (2, 3)
    assert factory.example("int32:4").dtype is torch.int32
    assert factory.example("bool:").shape == ()
    np.save(tmp_path / "x.npy", np.arange(6.0).reshape(2, 3))
    assert factory.example(str(tmp_path / "x.npy")).tolist() == [[0, 1, 2], [3, 4, 5]]


def test_a_factory_must_return_a_module(monkeypatch):
    monkeypatch.setattr(nn, "three", lambda: 3, raising=False)
    with pytest.raises(ConfigError, match=r"returned a int, not a torch\.nn\.Module"):
        factory.load_factory("torch.nn:three", ["2,3"])
