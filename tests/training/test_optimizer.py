"""The optimizer that calls the fused kernel directly, compared with PyTorch's."""

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
    ours, reference = build(ModelConfig(channels=4), 1), build(ModelConfig(channels=4), 1)
    config = TrainConfig(optimizer=name, weight_decay=settings["weight_decay"], learning_rate=0.01)
    plain = kind(reference.parameters(), lr=0.01, fused=True, **settings)
    return (ours, make_optimizer(ours, config, CPU)), (reference, plain)


def set_gradients(model, step, frozen=()):
    """Set gradients that depend only on the step."""
    generator = torch.Generator().manual_seed(step)
    for index, weight in enumerate(model.parameters()):
        noise = torch.randn(weight.shape, generator=generator)
        weight.grad = None if index in frozen else noise


def same_weights(ours, reference):
    return all(torch.equal(a, b) for a, b in zip(ours.parameters(), reference.parameters(), strict=True))


@pytest.mark.parametrize("name", SETTINGS)
def test_the_weights_equal_pytorchs_bit_for_bit(name):
    (ours, fast), (reference, plain) = pair(name)
    for step in range(12):
        for model, optimizer in ((ours, fast), (reference, plain)):
            set_learning_rate(optimizer, 0.01 / (1 + step))
            optimizer.zero_grad(set_to_none=True)
            assert all(weight.grad is None for weight in model.parameters())
            set_gradients(model, step)
            optimizer.step()
        assert same_weights(ours, reference), f"step {step}"
    assert not same_weights(ours, build(ModelConfig(channels=4), 1))


def test_a_weight_without_a_gradient_does_not_change():
    (ours, fast), (reference, plain) = pair("adam")
    for step in range(3):
        for model, optimizer in ((ours, fast), (reference, plain)):
            set_gradients(model, step, frozen={0} if step else ())
            optimizer.step()
        assert same_weights(ours, reference), f"step {step}"


@pytest.mark.parametrize("name", SETTINGS)
def test_its_state_loads_in_pytorchs_optimizer_and_back(name):
    (ours, fast), (reference, plain) = pair(name)
    set_gradients(ours, 0)
    fast.step()
    set_gradients(ours, 1)
    fast.step()
    reference.load_state_dict(ours.state_dict())
    file = io.BytesIO()
    torch.save(fast.state_dict(), file)
    file.seek(0)
    plain.load_state_dict(torch.load(file, weights_only=True))
    for step in range(2, 5):
        for model, optimizer in ((ours, fast), (reference, plain)):
            set_gradients(model, step)
            optimizer.step()
        assert same_weights(ours, reference), f"step {step}"
    restore_optimizer(fast, copy.deepcopy(plain.state_dict()))
    for model, optimizer in ((ours, fast), (reference, plain)):
        set_gradients(model, 5)
        optimizer.step()
    assert same_weights(ours, reference)


def test_a_closure_is_called():
    (ours, fast), _ = pair("adam")
    for step in range(3):

        def closure(step=step):
            set_gradients(ours, step)
            return step

        assert fast.step(closure) == step


def test_options_without_a_short_step_use_pytorchs():
    """amsgrad needs a third state tensor for each weight."""
    weight, other = (torch.ones(3, requires_grad=True) for _ in range(2))
    (_, fast), _ = pair("adam")
    ours = type(fast)([weight], lr=0.1, fused=True, amsgrad=True)
    plain = torch.optim.Adam([other], lr=0.1, fused=True, amsgrad=True)
    for step in range(4):
        weight.grad = other.grad = torch.full((3,), 0.1 if step else 4.0)
        ours.step()
        plain.step()
    assert torch.equal(weight, other)
