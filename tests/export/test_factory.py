"""Somebody's own PyTorch network, made by a function of theirs: exported, converted and compared."""

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

THEIRS = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.fc = nn.Embedding(7, 4), nn.Linear(8, 3)

    def forward(self, words, features):
        both = torch.cat([self.table(words).mean(1), features], 1)
        return {"scores": self.fc(both), "both": both}

def make():
    torch.manual_seed(0)
    return Net()

def with_example():
    return make(), (torch.tensor([[1, 2, 3]]), torch.zeros(1, 4))

def broken():
    raise RuntimeError("no weights here")

def no_tensors():
    return make(), 5

def leaves():
    raise SystemExit(0)

def complex_numbers():
    return nn.Identity(), torch.zeros(2, 4, dtype=torch.complex64)

def half():
    return nn.Linear(4, 2).bfloat16(), torch.zeros(2, 4, dtype=torch.bfloat16)
"""


@pytest.fixture
def theirs(tmp_path, monkeypatch):
    (tmp_path / "their_nets.py").write_text(THEIRS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


def test_a_network_goes_all_the_way(theirs):
    run = theirs / "run"
    done = convnet("export", "--factory", "their_nets:with_example", "--run", run, "--json")
    made = json.loads(done.stdout)
    assert made["max_abs_error"] < 1e-5
    convnet("convert", "--run", run)
    report = json.loads(convnet("compare", "--run", run, "--samples", 5, "--json").stdout)
    assert report["verdict"] == "agree"
    done = convnet("refresh", "--run", run)
    assert "everything is fresh" in done.stdout


def test_examples_say_what_it_takes(theirs):
    flags = ["--example", "int64:2,5", "--example", "2,4"]
    done = convnet("export", "--factory", "their_nets:make", *flags, "--run", theirs / "run", "--json")
    assert json.loads(done.stdout)["nodes"] > 3


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["their_nets:make"], "the inputs of the network"),
        (["their_nets:nothing"], "has no function 'nothing'"),
        (["nowhere:make"], "nowhere cannot be imported: ModuleNotFoundError"),
        (["their_nets"], "takes package.module:function"),
        (["their_nets:broken"], "raised RuntimeError: no weights here"),
        (["their_nets:no_tensors"], "must be tensors"),
        (["their_nets:leaves"], "raised SystemExit"),
        (["their_nets:half"], "which NumPy does not have"),
        (["their_nets:Net", "--example", "2,-4"], "takes a shape, a dtype and a shape, or a file"),
        (["their_nets:Net", "--example", "two,4"], "takes a shape, a dtype and a shape, or a file"),
        (["their_nets:Net", "--example", "words:2,4"], "'words' is not a PyTorch dtype"),
        (["their_nets:Net", "--example", "x.npy"], "cannot be read"),
        (["their_nets:Net", "--example", "2,4"], "1 example tensors do not fit forward(words, features)"),
        (["their_nets:complex_numbers"], "takes complex numbers (torch.complex64)"),
    ],
)
def test_what_is_wrong_is_one_clear_line_and_leaves_nothing(theirs, flags, said):
    done = convnet("export", "--factory", *flags, "--run", theirs / "run", check=2)
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (theirs / "run").exists()


def test_example_without_a_factory_is_refused(tmp_path):
    assert "--factory" in convnet("export", "--example", "2,3", "--run", tmp_path, check=2).stderr


def test_the_batch_is_dynamic_even_of_an_example_of_one():
    exported = export_any(nn.Linear(4, 2), (torch.rand(1, 4),), ExportConfig())
    assert [info.shape for info in inputs(exported.model)] == [(None, 4)]
    assert exported.fixed_batch_reason == ""


def test_a_batch_that_has_to_be_fixed_is_said_to_be():
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


def test_infinities_are_an_answer_too():
    class Masked(nn.Module):
        def forward(self, x):
            return torch.where(x > 0.5, x, float("-inf")), (x * 1000).long()

    assert export_any(Masked(), (torch.rand(2, 4),), ExportConfig()).max_abs_error == 0


def test_no_batch_in_common():
    class Two(nn.Module):
        def forward(self, x, y):
            return x @ y

    exported = export_any(Two(), (torch.rand(2, 3), torch.rand(3, 4)), ExportConfig())
    assert [info.shape for info in inputs(exported.model)] == [(2, 3), (3, 4)]
    assert "first dimension" in exported.fixed_batch_reason


def test_an_example_is_a_shape_a_dtype_and_a_shape_or_a_file(tmp_path):
    assert factory.example("2,3").shape == (2, 3)
    assert factory.example("int32:4").dtype is torch.int32
    assert factory.example("bool:").shape == ()
    np.save(tmp_path / "x.npy", np.arange(6.0).reshape(2, 3))
    assert factory.example(str(tmp_path / "x.npy")).tolist() == [[0, 1, 2], [3, 4, 5]]


def test_only_networks_are_taken(monkeypatch):
    monkeypatch.setattr(nn, "theirs", lambda: 3, raising=False)
    with pytest.raises(ConfigError, match=r"returned a int, not a torch\.nn\.Module"):
        factory.load_factory("torch.nn:theirs", ["2,3"])
