"""Weights files as people save them, read without running any code; and files that are not weights."""

import argparse

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from convnet_core.config.stages import ModelConfig
from convnet_core.errors import ModelError
from convnet_core.networks.convnet import build, from_weights
from convnet_core.networks.recognition import recognize
from convnet_core.networks.weights import read_weights


class Plain(nn.Module):
    """The reference network as plain PyTorch code."""

    def __init__(self):
        super().__init__()
        self.layer1 = nn.Sequential(nn.Conv2d(1, 16, 3, stride=1, padding=1), nn.BatchNorm2d(16), nn.ReLU())
        self.fc = nn.Linear(28 * 28 * 16, 10)

    def forward(self, x):
        out = self.layer1(x)
        return self.fc(out.reshape(out.size(0), -1))


def test_the_plain_network_loads_strictly_and_answers_the_same(tmp_path):
    plain = Plain().eval()
    plain.layer1[1].running_mean.normal_()
    torch.save(plain.state_dict(), tmp_path / "model.pth")
    config, model = from_weights(read_weights(tmp_path / "model.pth"), "model.pth")
    assert config == ModelConfig(architecture="convnet", channels=16, kernel=3)
    images = torch.rand(3, 1, 28, 28)
    assert torch.equal(model(images), plain(images))


@pytest.fixture(scope="module")
def state():
    """Weights of a small network, which float16 and bfloat16 hold exactly."""
    weights = build(ModelConfig(channels=4), seed=0).state_dict()
    return {name: value.bfloat16().half().to(value.dtype) for name, value in weights.items()}


def load_weights(path):
    """The network's weights in a file, and the notes about them."""
    named, notes = recognize(read_weights(path), path.name)
    return from_weights(named, path.name)[1].state_dict(), notes


def add_prefix(prefix, state):
    return {prefix + name: value for name, value in state.items()}


def insert_words(state, **words):
    """Insert a word after a part of each name: layer1="module" gives layer1.module.0.weight."""
    return {
        ".".join(f"{part}.{words[part]}" if part in words else part for part in name.split(".")): value
        for name, value in state.items()
    }


WRAPPED = {
    # the prefix in the note, and the object that is saved
    "DataParallel": ("module", lambda state: add_prefix("module.", state)),
    "torch.compile": ("_orig_mod", lambda state: add_prefix("_orig_mod.", state)),
    "DataParallel in torch.compile": ("_orig_mod.module", lambda state: add_prefix("_orig_mod.module.", state)),
    "a custom wrapper": ("encoder.net", lambda state: add_prefix("encoder.net.", state)),
    "a part in DataParallel": ("", lambda state: insert_words(state, layer1="module")),
    "parts in torch.compile": ("", lambda state: insert_words(state, layer1="_orig_mod", fc="_orig_mod")),
    "FSDP": (
        "_fsdp_wrapped_module",
        lambda state: add_prefix("_fsdp_wrapped_module.", insert_words(state, fc="_fsdp_wrapped_module")),
    ),
    "state_dict": ("state_dict", lambda state: {"state_dict": state, "epoch": 3}),
    "net": ("net", lambda state: {"net": state, "acc": 97.1, "epoch": 3}),
    "Lightning": (
        "state_dict.model",
        lambda state: {
            "state_dict": {**add_prefix("model.", state), "loss.weight": torch.ones(10)},
            "optimizer_states": [{"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 0.1}]}],
            "hyper_parameters": {"lr": 1e-3},
        },
    ),
    "next to other objects": (
        "model_state_dict",
        lambda state: {
            "model_state_dict": state,
            "loss": np.float64(0.1),
            "rng": np.random.default_rng(0).integers(0, 9, 5),
            "args": argparse.Namespace(lr=1e-3),
        },
    ),
    "a list": ("1", lambda state: [3, state]),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_wrapped_weights_are_found_with_a_note(tmp_path, state, name):
    prefix, wrap = WRAPPED[name]
    torch.save(wrap(state), tmp_path / "w.pth")
    weights, notes = load_weights(tmp_path / "w.pth")
    assert all(torch.equal(weights[name], value) for name, value in state.items())
    assert notes == ([f"the weights come from {prefix!r} in w.pth"] if prefix else [])


def test_the_model_is_preferred_to_its_moving_average(tmp_path, state):
    average = {name: value * 0 for name, value in state.items()}
    torch.save({"ema": average, "model": add_prefix("module.", state)}, tmp_path / "w.pth")
    weights, (note,) = load_weights(tmp_path / "w.pth")
    assert torch.equal(weights["fc.weight"], state["fc.weight"])
    assert note == "the weights come from 'model.module' in w.pth, not from 'ema'"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_other_float_dtypes_are_cast_with_a_note(tmp_path, state, dtype, suffix):
    state_dict = {name: value.to(dtype) for name, value in state.items()}  # including the batch counter
    (save_file if suffix == "safetensors" else torch.save)(state_dict, tmp_path / f"w.{suffix}")
    weights, notes = load_weights(tmp_path / f"w.{suffix}")
    assert all(torch.equal(weights[name], value) for name, value in state.items())
    assert notes == [f"8 tensors were cast from {str(dtype)[6:]} to float32"]


def test_counters_that_only_training_uses_may_be_missing(tmp_path, state):
    state_dict = {name: value for name, value in state.items() if "num_batches" not in name}
    torch.save(state_dict, tmp_path / "w.pth")
    weights, notes = load_weights(tmp_path / "w.pth")
    assert weights["layer1.1.num_batches_tracked"] == 0
    assert notes == ["num_batches_tracked, which only training uses, was missing and is set to 0"]


def test_parameters_and_arrays_are_weights_too(tmp_path, state):
    torch.save({n: nn.Parameter(v) if v.is_floating_point() else v for n, v in state.items()}, tmp_path / "w.pth")
    np.savez(tmp_path / "w.npz", **{name: value.numpy() for name, value in state.items()})
    for file in ("w.pth", "w.npz"):
        weights, notes = load_weights(tmp_path / file)
        assert all(torch.equal(weights[name], value) for name, value in state.items())
        assert not notes


def test_weights_from_a_gpu_are_loaded_on_the_cpu(tmp_path, state, monkeypatch):
    monkeypatch.setattr(torch.serialization, "location_tag", lambda _: "cuda:0")
    torch.save(state, tmp_path / "w.pth")
    weights, _ = load_weights(tmp_path / "w.pth")
    assert weights["fc.weight"].device.type == "cpu"


def test_a_quantized_network_is_named(tmp_path, state):
    quantized = torch.quantize_per_tensor(state["fc.weight"], 0.1, 0, torch.qint8)
    torch.save({**state, "fc.weight": quantized}, tmp_path / "w.pth")
    with pytest.raises(ModelError, match=r"contains a quantized network \(fc.weight is torch.qint8\)") as caught:
        load_weights(tmp_path / "w.pth")
    assert "before quantization" in caught.value.hint


def test_another_network_is_described_by_its_weights(tmp_path):
    other = nn.ModuleDict({"conv1": nn.Conv2d(1, 32, 3), "fc1": nn.Linear(9216, 10)})
    torch.save({"model": other.state_dict()}, tmp_path / "w.pth")
    with pytest.raises(ModelError, match=r"another network: model.conv1.weight \[32, 1, 3, 3\]") as caught:
        load_weights(tmp_path / "w.pth")
    assert "--factory" in caught.value.hint


class Bomb:
    def __reduce__(self):
        return print, ("this must never be printed",)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_with_code_in_it_is_not_run(tmp_path, capsys, zipped):
    torch.save({"fc.bias": Bomb()}, tmp_path / "bomb.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(ModelError, match=r"has more than tensors \(print\).* could run code"):
        read_weights(tmp_path / "bomb.pth")
    assert capsys.readouterr().out == ""


def test_a_whole_module_is_refused_by_its_class(tmp_path):
    torch.save(Plain(), tmp_path / "w.pth")
    with pytest.raises(ModelError, match=r"test_weights\.Plain") as caught:
        read_weights(tmp_path / "w.pth")
    assert "model.state_dict()" in caught.value.hint


def test_files_with_other_content_are_refused(tmp_path):
    (tmp_path / "text.pth").write_text("hello")
    (tmp_path / "text.safetensors").write_text("hello")
    torch.save([1, 2], tmp_path / "list.pth")
    torch.save(torch.zeros(1), tmp_path / "tensor.pth")
    np.savez(tmp_path / "objects.npz", w=np.array([{}], object))
    (tmp_path / "folder.pth").mkdir()
    for name in ("text.pth", "text.safetensors", "list.pth", "tensor.pth", "objects.npz", "folder.pth", "absent.pth"):
        with pytest.raises(ModelError, match=name):
            read_weights(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is an empty file"),
        (b"<!DOCTYPE html><html>", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
        (b"\x1c\0\0\0TFL3\0", "is a TFLite model"),
        (b"\x80\x04K\x01.", "is a Python pickle"),
    ],
)
def test_other_kinds_of_files_are_named(tmp_path, content, message):
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(ModelError, match=f"w.pth {message}"):
        read_weights(tmp_path / "w.pth")


@pytest.mark.parametrize("suffix", ["pth", "legacy.pth", "npz", "safetensors"])
def test_a_truncated_file_is_an_error(tmp_path, state, suffix):
    path = tmp_path / f"w.{suffix}"
    if suffix == "npz":
        np.savez(path, **{name: value.numpy() for name, value in state.items()})
    elif suffix == "safetensors":
        save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=suffix == "pth")
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(ModelError) as caught:
        read_weights(path)
    assert "cut off" in f"{caught.value} {caught.value.hint}"


def test_cyclic_containers_and_very_long_names_are_handled(tmp_path, state):
    cyclic = {"model": state}
    cyclic["again"] = cyclic
    torch.save(cyclic, tmp_path / "w.pth")
    assert load_weights(tmp_path / "w.pth")[1] == ["the weights come from 'model' in w.pth"]
    deep = {"w": torch.zeros(1)}
    for _ in range(200):
        deep = {"longer": deep}
    torch.save(deep, tmp_path / "w.pth")
    with pytest.raises(ModelError, match="a name of over 1000 characters"):
        read_weights(tmp_path / "w.pth")


def test_safetensors_are_read(tmp_path, state):
    save_file(state, tmp_path / "w.safetensors")
    assert torch.equal(read_weights(tmp_path / "w.safetensors")["fc.weight"], state["fc.weight"])
