import pytest
import torch

from convnet_core.config.stages import ModelConfig
from convnet_core.errors import ModelError
from convnet_core.networks.convnet import build, from_weights


@pytest.mark.parametrize("architecture", ["convnet", "deep"])
@pytest.mark.parametrize("channels", [4, 64])
@pytest.mark.parametrize("kernel", [3, 5, 7])
def test_every_option_builds_and_is_recognized_by_its_weights(architecture, channels, kernel):
    config = ModelConfig(architecture=architecture, channels=channels, kernel=kernel)
    model = build(config, seed=1)
    assert model(torch.rand(2, 1, 28, 28)).shape == (2, 10)
    assert from_weights(model.state_dict(), "x")[0] == config


def test_parameter_names():
    assert [name for name, _ in build(ModelConfig()).named_parameters()] == [
        "layer1.0.weight",
        "layer1.0.bias",
        "layer1.1.weight",
        "layer1.1.bias",
        "fc.weight",
        "fc.bias",
    ]


def test_the_same_seed_gives_the_same_weights_and_leaves_the_global_generator_alone():
    torch.manual_seed(5)
    before = torch.rand(1)
    torch.manual_seed(5)
    first, second = build(ModelConfig(), seed=3), build(ModelConfig(), seed=3)
    assert torch.equal(first.fc.weight, second.fc.weight)
    assert torch.equal(torch.rand(1), before)


def changed_weights(change):
    weights = build(ModelConfig(), seed=0).state_dict()
    change(weights)
    return weights


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.pop("fc.bias"), "missing fc.bias"),
        (lambda w: w.update(extra=torch.zeros(1)), "unexpected extra"),
        (lambda w: w.update({"fc.bias": torch.zeros(9)}), r"fc.bias has shape \[9\], expected \[10\]"),
        (lambda w: w.update({"fc.bias": torch.zeros(10).double()}), "fc.bias is torch.float64"),
        (lambda w: w.update({"fc.bias": torch.zeros(10).to_sparse()}), "fc.bias is a sparse torch.float32"),
        (
            lambda w: w.update({"fc.bias": torch.zeros(10, device="meta")}),
            "fc.bias is torch.float32 without values, expected torch.float32$",
        ),
        (lambda w: w["fc.bias"].fill_(torch.nan), "fc.bias has NaN or infinity in 10 of 10 values"),
        (lambda w: w.pop("layer1.0.weight"), "it has no layer1.0.weight with four dimensions"),
        (lambda w: w.update({"layer1.0.weight": torch.zeros(16, 1, 4, 4)}), "kernel must be one of"),
        (lambda w: w.update({"layer1.0.weight": torch.zeros(65, 1, 3, 3)}), "channels must be from 4 to 64"),
    ],
)
def test_weights_that_do_not_fit_are_refused_by_name(change, message):
    with pytest.raises(ModelError, match=message):
        from_weights(changed_weights(change), "weights.pth")
