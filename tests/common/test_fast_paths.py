"""Each speedup has a switch, steps aside if the library lacks its private part, and trains the same network."""

from __future__ import annotations

import ctypes
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from convnet_core import doctor
from convnet_core.common import fast_paths, memory
from convnet_core.config.stages import TrainConfig
from convnet_core.data.split import Split
from convnet_core.data.strokes import generate
from convnet_core.events import Monitor
from convnet_core.networks.convnet import build
from convnet_core.training import loop
from convnet_core.training.loop import Tensors
from convnet_core.training.optimizer import make_optimizer
from tests.conftest import python

CPU = torch.device("cpu")
NAMES = tuple(fast_paths.FAST_PATHS)


def train(precision="float32"):
    """The weights after seven training steps."""
    config = TrainConfig(epochs=1, batch_size=50, precision=precision, device="cpu")
    state = loop.start_training(build(config.model, 0), config, CPU)
    loop.fit(state, Tensors.of(Split(*generate(350, 0))), None, config, Monitor())
    return state.model.state_dict()


def part_types():
    """The types of the optimizer, the batch norm and the linear layer."""
    model = build(TrainConfig().model, 0)
    return type(make_optimizer(model, TrainConfig(), CPU)), type(model.layer1[1]), type(model.fc)


def speedups():
    """The check of the speedups in `doctor`."""
    return next(check for check in doctor.examine() if check.name == "speedups")


def remove_private_part(monkeypatch, name):
    """Imitate a library that lacks the private part."""
    if name == "adam":  # PyTorch's public step calls the same kernel, so the kernel must stay
        monkeypatch.setitem(fast_paths.FAST_PATHS, "adam", ("torch._fused_adam_of_yesterday",))
    elif name == "layers":
        monkeypatch.setattr(torch.ops, "mkldnn", SimpleNamespace())
    else:
        monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace())


def test_all_speedups_are_active_with_the_pinned_libraries():
    assert [fast_paths.missing_parts(name) for name in ("adam", "layers")] == [[], []]
    assert speedups().detail.startswith("adam, layers, malloc")


@pytest.mark.parametrize("reason", ["switched off", "missing"])
@pytest.mark.parametrize("name", NAMES)
def test_without_a_speedup_training_uses_the_plain_code_and_doctor_reports_it(monkeypatch, name, reason):
    before = part_types()
    if reason == "missing":
        remove_private_part(monkeypatch, name)
    else:
        monkeypatch.setenv("CONVNET_PLAIN", name)
    assert [fast_paths.is_enabled(other) for other in NAMES] == [other != name for other in NAMES]
    plain = (torch.optim.Adam, nn.BatchNorm2d, nn.Linear)
    expected = {"adam": (plain[0], *before[1:]), "layers": (before[0], *plain[1:]), "malloc": before}
    assert part_types() == expected[name]
    train()
    memory.keep_freed_memory()
    check = speedups()
    assert check.ok
    assert f"{name} off ({'CONVNET_PLAIN' if reason == 'switched off' else 'not available here: '}" in check.detail


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_fast_adam_gives_the_same_weights_bit_for_bit(monkeypatch, precision):
    fast = train(precision)
    monkeypatch.setenv("CONVNET_PLAIN", "adam")
    plain = train(precision)
    assert all(torch.equal(value, plain[key]) for key, value in fast.items())


def test_malloc_settings_give_the_same_weights_bit_for_bit():
    """Runs in a new process, where nothing has configured the allocator yet."""
    python("""
import os, torch
from tests.common.test_fast_paths import train

os.environ["CONVNET_PLAIN"] = "malloc"
plain = train()
del os.environ["CONVNET_PLAIN"]
assert all(torch.equal(value, plain[key]) for key, value in train().items())
""")


def test_fast_layers_keep_parameter_names_and_initial_weights(monkeypatch):
    """The tolerance of each layer is in tests/networks/test_fast_layers.py."""
    fast = build(TrainConfig().model, 0).state_dict()
    monkeypatch.setenv("CONVNET_PLAIN", "layers")
    plain = build(TrainConfig().model, 0).state_dict()
    assert list(fast) == list(plain)
    assert all(torch.equal(value, plain[key]) for key, value in fast.items())


def test_an_unknown_speedup_name_is_reported(monkeypatch):
    monkeypatch.setenv("CONVNET_PLAIN", "adam,layer")
    check = speedups()
    assert not check.ok
    assert "layer, which does not exist" in check.detail
    assert "adam,layers,malloc" in check.fix
