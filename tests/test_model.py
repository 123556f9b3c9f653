import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from convnet_core.config import ModelConfig
from convnet_core.errors import ModelError
from convnet_core.model import build, from_weights, read_weights


class Plain(nn.Module):
    """The original network, written by somebody else."""

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


@pytest.mark.parametrize("architecture", ["convnet", "deep"])
@pytest.mark.parametrize("channels", [4, 64])
@pytest.mark.parametrize("kernel", [3, 5, 7])
def test_every_option_builds_and_is_recognised_by_its_weights(architecture, channels, kernel):
    config = ModelConfig(architecture=architecture, channels=channels, kernel=kernel)
    model = build(config, seed=1)
    assert model(torch.rand(2, 1, 28, 28)).shape == (2, 10)
    assert from_weights(model.state_dict(), "x")[0] == config


def test_names_of_parameters():
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


def spoiled(change):
    weights = build(ModelConfig(), seed=0).state_dict()
    change(weights)
    return weights


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda w: w.pop("fc.bias"), "missing fc.bias"),
        (lambda w: w.update(extra=torch.zeros(1)), "unexpected extra"),
        (lambda w: w.update({"fc.bias": torch.zeros(9)}), r"fc.bias has shape \[9\], expected \[10\]"),
        (lambda w: w.update({"fc.bias": torch.zeros(10).double()}), "fc.bias is torch.float64"),
        (lambda w: w["fc.bias"].fill_(torch.nan), "fc.bias holds NaN"),
        (lambda w: w.pop("layer1.0.weight"), "no 4-dimensional layer1.0.weight"),
        (lambda w: w.update({"layer1.0.weight": torch.zeros(16, 1, 4, 4)}), "kernel must be one of"),
        (lambda w: w.update({"layer1.0.weight": torch.zeros(65, 1, 3, 3)}), "channels must be from 4 to 64"),
    ],
)
def test_weights_that_do_not_fit_are_refused_by_name(change, says):
    with pytest.raises(ModelError, match=says):
        from_weights(spoiled(change), "weights.pth")


class Bomb:
    def __reduce__(self):
        return print, ("this must never be printed",)


def test_a_pickle_with_code_in_it_is_not_run(tmp_path, capsys):
    torch.save({"fc.bias": Bomb()}, tmp_path / "bomb.pth")
    with pytest.raises(ModelError, match="could run code"):
        read_weights(tmp_path / "bomb.pth")
    assert capsys.readouterr().out == ""


def test_files_that_hold_something_else_are_refused(tmp_path):
    (tmp_path / "text.pth").write_text("hello")
    (tmp_path / "text.safetensors").write_text("hello")
    torch.save([torch.zeros(1)], tmp_path / "list.pth")
    torch.save({"state_dict": {"fc.bias": torch.zeros(1)}}, tmp_path / "wrapped.pth")
    for name in ("text.pth", "text.safetensors", "list.pth", "wrapped.pth", "absent.pth"):
        with pytest.raises(ModelError, match=name):
            read_weights(tmp_path / name)


def test_safetensors_hold_the_same(tmp_path):
    weights = build(ModelConfig(), seed=0).state_dict()
    save_file(weights, tmp_path / "w.safetensors")
    assert torch.equal(read_weights(tmp_path / "w.safetensors")["fc.weight"], weights["fc.weight"])
