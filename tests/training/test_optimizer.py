"""The optimizer that goes to its kernel at once, beside PyTorch's own."""

from __future__ import annotations

import copy
import io

import pytest
import torch

from convnet_core.config.stages import ModelConfig, TrainConfig
from convnet_core.networks.convnet import build
from convnet_core.training.optimizer import make_optimizer, restore_optimizer, set_learning_rate

CPU = torch.device("cpu")
SETTINGS = {
    "adam": (torch.optim.Adam, {"weight_decay": 0.0}),
    "adamw": (torch.optim.AdamW, {"weight_decay": 0.3}),
}


def pair(name):
    """The same network twice, with our optimizer and with PyTorch's."""
    kind, settings = SETTINGS[name]
    ours, theirs = build(ModelConfig(channels=4), 1), build(ModelConfig(channels=4), 1)
    config = TrainConfig(optimizer=name, weight_decay=settings["weight_decay"], learning_rate=0.01)
    plain = kind(theirs.parameters(), lr=0.01, fused=True, **settings)
    return (ours, make_optimizer(ours, config, CPU)), (theirs, plain)


def gradients(model, step, frozen=()):
    """Gradients that depend on the step alone."""
    generator = torch.Generator().manual_seed(step)
    for index, weight in enumerate(model.parameters()):
        noise = torch.randn(weight.shape, generator=generator)
        weight.grad = None if index in frozen else noise


def same(ours, theirs):
    return all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))


@pytest.mark.parametrize("name", SETTINGS)
def test_the_weights_are_those_of_pytorchs_own_bit_for_bit(name):
    (ours, quick), (theirs, plain) = pair(name)
    for step in range(12):
        for model, optimizer in ((ours, quick), (theirs, plain)):
            set_learning_rate(optimizer, 0.01 / (1 + step))
            optimizer.zero_grad(set_to_none=True)
            assert all(weight.grad is None for weight in model.parameters())
            gradients(model, step)
            optimizer.step()
        assert same(ours, theirs), f"step {step}"
    assert not same(ours, build(ModelConfig(channels=4), 1))


def test_a_weight_without_a_gradient_stays_where_it_is():
    (ours, quick), (theirs, plain) = pair("adam")
    for step in range(3):
        for model, optimizer in ((ours, quick), (theirs, plain)):
            gradients(model, step, frozen={0} if step else ())
            optimizer.step()
        assert same(ours, theirs), f"step {step}"


@pytest.mark.parametrize("name", SETTINGS)
def test_its_state_goes_on_in_pytorchs_own_and_back(name):
    (ours, quick), (theirs, plain) = pair(name)
    gradients(ours, 0)
    quick.step()
    gradients(ours, 1)
    quick.step()
    theirs.load_state_dict(ours.state_dict())
    file = io.BytesIO()
    torch.save(quick.state_dict(), file)
    file.seek(0)
    plain.load_state_dict(torch.load(file, weights_only=True))
    for step in range(2, 5):
        for model, optimizer in ((ours, quick), (theirs, plain)):
            gradients(model, step)
            optimizer.step()
        assert same(ours, theirs), f"step {step}"
    restore_optimizer(quick, copy.deepcopy(plain.state_dict()))
    for model, optimizer in ((ours, quick), (theirs, plain)):
        gradients(model, 5)
        optimizer.step()
    assert same(ours, theirs)


def test_a_closure_is_called():
    (ours, quick), _ = pair("adam")
    for step in range(3):

        def closure(step=step):
            gradients(ours, step)
            return step

        assert quick.step(closure) == step


def test_what_the_kernel_is_not_asked_for_is_pytorchs_own():
    """amsgrad keeps a third state of each weight."""
    weight, other = (torch.ones(3, requires_grad=True) for _ in range(2))
    (_, quick), _ = pair("adam")
    ours = type(quick)([weight], lr=0.1, fused=True, amsgrad=True)
    plain = torch.optim.Adam([other], lr=0.1, fused=True, amsgrad=True)
    for step in range(4):
        weight.grad = other.grad = torch.full((3,), 0.1 if step else 4.0)
        ours.step()
        plain.step()
    assert torch.equal(weight, other)
