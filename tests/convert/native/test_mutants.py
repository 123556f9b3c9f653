"""The block tests catch a bug in the converter: each mutant here breaks one operator."""

import dataclasses

import pytest
import torch
from torch import nn

from convnet_core.convert.native import registry
from tests.convert.native.blocks import mismatches

IMAGE = torch.randn(2, 4, 9, 11)
ROWS = torch.randn(2, 5, 8)
SQUARES = torch.randn(2, 5, 5)

MUTANTS = {
    # name: the operator, a wrong change of its attributes, and the block that must fail
    "epsilon": ("BatchNormalization", lambda a: {**a, "epsilon": 1e-3}, (nn.BatchNorm2d(4), IMAGE)),
    "padding": ("Conv", lambda a: {**a, "pads": [2, 1, 1, 2]}, (nn.Conv2d(4, 5, 4, padding="same"), IMAGE)),
    "no padding in the mean": (
        "AveragePool",
        lambda a: {**a, "count_include_pad": 0},
        (nn.AvgPool2d(3, padding=1), IMAGE),
    ),
    "swapped axes": ("Transpose", lambda a: {**a, "perm": [0, 1, 2]}, (lambda x: x.transpose(1, 2) + 1, SQUARES)),
    "another axis": ("Softmax", lambda a: {**a, "axis": 1}, (lambda x: torch.softmax(x, -1), ROWS)),
    "approximate GELU": ("Gelu", lambda a: {**a, "approximate": "tanh"}, (nn.GELU(), ROWS)),
    "epsilon of a layer norm": ("LayerNormalization", lambda a: {**a, "epsilon": 1e-3}, (nn.LayerNorm(8), ROWS)),
    "dilation": (
        "Conv",
        lambda a: {**a, "dilations": [1, 1], "pads": [1] * 4},
        (nn.Conv2d(4, 5, 3, dilation=2, padding=2), IMAGE),
    ),
    "corners": (
        "Resize",
        lambda a: {**a, "coordinate_transformation_mode": "asymmetric"},
        (nn.Upsample(scale_factor=2, mode="bilinear"), IMAGE),
    ),
    "slope": ("LeakyRelu", lambda a: {**a, "alpha": 0.011}, (nn.LeakyReLU(0.01), ROWS)),
}


@pytest.fixture
def break_operator(monkeypatch):
    """Return a function that changes the attributes passed to all handlers of an operator."""

    def break_operator(op, change):
        for (domain, name), handlers in registry.all_handlers().items():
            if name == op:
                broken = [
                    dataclasses.replace(handler, function=_changed(handler.function, change)) for handler in handlers
                ]
                monkeypatch.setitem(registry.all_handlers(), (domain, name), broken)

    return break_operator


def _changed(function, change):
    return lambda *inputs, **attributes: function(*inputs, **change(attributes))


def test_without_a_mutant_all_blocks_match(tmp_path):
    table = {name.replace(" ", "_"): block for name, (_, _, block) in MUTANTS.items()}
    assert mismatches(table, tmp_path, lite=False) == []


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_caught(name, break_operator, tmp_path):
    op, change, block = MUTANTS[name]
    break_operator(op, change)
    assert mismatches({"block": block}, tmp_path, lite=False)
