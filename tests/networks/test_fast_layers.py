"""The quick layers against PyTorch's own, in float64."""

import copy

import pytest
import torch
from torch import nn

from convnet_core.networks.convnet import ConvNet
from convnet_core.networks.fast_layers import BatchNorm2d, Linear


def batch_norm(channels=6):
    """A quick layer and PyTorch's own in float64, with the same parameters."""
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
def test_values_gradients_and_running_statistics_are_those_of_pytorch(make, shape):
    layer, exact = make()
    for _ in range(3):
        features = (3 * torch.randn(shape) + 2).requires_grad_()
        same = features.detach().double().requires_grad_()
        answer, expected = layer(features), exact(same)
        assert type(answer.grad_fn).__name__ in ("_NormalizeBackward", "_MultiplyBackward")  # the quick way was taken
        gradient = torch.randn_like(answer)
        answer.backward(gradient)
        expected.backward(gradient.double())
        torch.testing.assert_close(answer.double(), expected, rtol=1e-5, atol=2e-5)
        torch.testing.assert_close(features.grad.double(), same.grad, rtol=1e-4, atol=2e-5)
    for (name, value), other in zip(layer.named_parameters(), exact.parameters(), strict=True):
        torch.testing.assert_close(value.grad.double(), other.grad, rtol=1e-4, atol=1e-3, msg=name)
    for value, other in zip(layer.buffers(), exact.buffers(), strict=True):
        torch.testing.assert_close(value.double(), other.double(), rtol=1e-5, atol=1e-6)


def test_features_that_are_all_alike_stay_finite():
    layer, _ = batch_norm()
    answer = layer(torch.full((4, 6, 3, 3), 1000.1))
    assert torch.isfinite(answer).all()


def test_epsilon_counts_where_features_hardly_differ():
    layer, exact = batch_norm()
    features = (0.003 * torch.randn(8, 6, 5, 7)).requires_grad_()
    same = features.detach().double().requires_grad_()
    answer, expected = layer(features), exact(same)
    gradient = torch.randn_like(answer)
    answer.backward(gradient)
    expected.backward(gradient.double())
    torch.testing.assert_close(answer.double(), expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(features.grad.double(), same.grad, rtol=1e-4, atol=1e-2)


def test_one_value_for_each_channel_is_refused_as_by_pytorch():
    layer, _ = batch_norm()
    with pytest.raises(ValueError, match="more than 1 value"):
        layer(torch.rand(1, 6, 1, 1))


@pytest.mark.parametrize(("make", "shape"), CASES)
def test_elsewhere_it_is_pytorchs_own_bit_for_bit(make, shape):
    layer, exact = make()
    plain = exact.float()
    features = torch.randn(shape)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(layer(features.bfloat16()), plain(features.bfloat16()))
        assert torch.equal(layer(features), plain(features))
    with torch.no_grad():
        assert torch.equal(layer(features), plain(features))
    assert torch.equal(layer.eval()(features), plain.eval()(features))


def test_a_network_in_train_mode_is_exported_with_its_own_layers(tmp_path):
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


def test_so_it_is_by_the_default_exporter():
    ops = [str(node.target) for node in torch.export.export(ConvNet().train(), (torch.rand(2, 1, 28, 28),)).graph.nodes]
    assert any(name.startswith("aten.batch_norm") for name in ops), ops
    assert "aten.linear.default" in ops


def test_channels_last_is_left_to_pytorch():
    layer, exact = batch_norm()
    features = torch.randn(4, 6, 5, 7).to(memory_format=torch.channels_last)
    assert torch.equal(layer(features), exact.float()(features))


def test_a_network_has_the_same_state_dict_as_before():
    quick = ConvNet()
    plain = copy.deepcopy(quick)
    plain.layer1[1], plain.fc = nn.BatchNorm2d(16), nn.Linear(16 * 784, 10)
    assert list(plain.state_dict()) == list(quick.state_dict())
    plain.load_state_dict(quick.state_dict())
