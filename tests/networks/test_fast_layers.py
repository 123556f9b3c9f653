"""The fast layers, compared with PyTorch's in float64."""

import copy

import pytest
import torch
from torch import nn

from convnet_core.networks.convnet import ConvNet
from convnet_core.networks.fast_layers import BatchNorm2d, Linear


def batch_norm(channels=6):
    """A fast layer, and PyTorch's in float64 with the same parameters."""
    layer, exact = BatchNorm2d(channels), nn.BatchNorm2d(channels).double()
    with torch.no_grad():
        layer.weight.copy_(torch.rand(channels) + 0.5)
        layer.bias.copy_(torch.randn(channels))
    exact.load_state_dict(layer.state_dict())
    return layer, exact


def linear():
    layer, exact = Linear(200, 7), nn.Linear(200, 7).double()
    exact.load_state_dict(layer.state_dict())
    return layer, exact


CASES = [(batch_norm, (8, 6, 5, 7)), (batch_norm, (2, 6, 28, 28)), (linear, (9, 200)), (linear, (1, 200))]


@pytest.mark.parametrize(("make", "shape"), CASES)
def test_values_gradients_and_running_statistics_match_pytorch(make, shape):
    layer, exact = make()
    for _ in range(3):
        features = (3 * torch.randn(shape) + 2).requires_grad_()
        exact_features = features.detach().double().requires_grad_()
        output, expected = layer(features), exact(exact_features)
        assert type(output.grad_fn).__name__ in ("_NormalizeBackward", "_MultiplyBackward")  # the fast path ran
        gradient = torch.randn_like(output)
        output.backward(gradient)
        expected.backward(gradient.double())
        torch.testing.assert_close(output.double(), expected, rtol=1e-5, atol=2e-5)
        torch.testing.assert_close(features.grad.double(), exact_features.grad, rtol=1e-4, atol=2e-5)
    for (name, value), other in zip(layer.named_parameters(), exact.parameters(), strict=True):
        torch.testing.assert_close(value.grad.double(), other.grad, rtol=1e-4, atol=1e-3, msg=name)
    for value, other in zip(layer.buffers(), exact.buffers(), strict=True):
        torch.testing.assert_close(value.double(), other.double(), rtol=1e-5, atol=1e-6)


def test_constant_features_give_finite_outputs():
    layer, _ = batch_norm()
    output = layer(torch.full((4, 6, 3, 3), 1000.1))
    assert torch.isfinite(output).all()


def test_nearly_constant_features_match_pytorch():
    layer, exact = batch_norm()
    features = (0.003 * torch.randn(8, 6, 5, 7)).requires_grad_()
    exact_features = features.detach().double().requires_grad_()
    output, expected = layer(features), exact(exact_features)
    gradient = torch.randn_like(output)
    output.backward(gradient)
    expected.backward(gradient.double())
    torch.testing.assert_close(output.double(), expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(features.grad.double(), exact_features.grad, rtol=1e-4, atol=1e-2)


def test_one_value_per_channel_is_refused_as_in_pytorch():
    layer, _ = batch_norm()
    with pytest.raises(ValueError, match="more than 1 value"):
        layer(torch.rand(1, 6, 1, 1))


@pytest.mark.parametrize(("make", "shape"), CASES)
def test_without_the_fast_path_it_equals_pytorch_bit_for_bit(make, shape):
    layer, exact = make()
    plain = exact.float()
    features = torch.randn(shape)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(layer(features.bfloat16()), plain(features.bfloat16()))
        assert torch.equal(layer(features), plain(features))
    with torch.no_grad():
        assert torch.equal(layer(features), plain(features))
    assert torch.equal(layer.eval()(features), plain.eval()(features))


@pytest.mark.filterwarnings("ignore")  # PyTorch 2.14's first exporter, deprecated, warns of itself and while it traces
def test_a_network_in_train_mode_is_exported_with_standard_operators(tmp_path):
    torch.onnx.export(
        ConvNet().train(),
        (torch.rand(2, 1, 28, 28),),
        tmp_path / "x.onnx",
        dynamo=False,
        training=torch.onnx.TrainingMode.PRESERVE,
        do_constant_folding=False,
    )
    import onnx

    ops = [node.op_type for node in onnx.load(tmp_path / "x.onnx").graph.node]
    assert ops == ["Conv", "BatchNormalization", "Relu", "Flatten", "Gemm"]


def test_the_default_exporter_also_writes_standard_operators():
    ops = [str(node.target) for node in torch.export.export(ConvNet().train(), (torch.rand(2, 1, 28, 28),)).graph.nodes]
    assert any(name.startswith("aten.batch_norm") for name in ops), ops
    assert "aten.linear.default" in ops


def test_channels_last_input_uses_pytorchs_layer():
    layer, exact = batch_norm()
    features = torch.randn(4, 6, 5, 7).to(memory_format=torch.channels_last)
    assert torch.equal(layer(features), exact.float()(features))


def test_the_state_dict_equals_that_of_pytorchs_layers():
    fast = ConvNet()
    plain = copy.deepcopy(fast)
    plain.layer1[1], plain.fc = nn.BatchNorm2d(16), nn.Linear(16 * 784, 10)
    assert list(plain.state_dict()) == list(fast.state_dict())
    plain.load_state_dict(fast.state_dict())
