"""The ConvNet's passes by hand against PyTorch's own layers, in float64."""

import copy

import onnx
import pytest
import torch
from torch import nn

from convnet_core.model import ConvNet
from convnet_core.quick_convnet import _relu_, _where_active


class Layers(nn.Module):
    """The same network of its layers alone."""

    def __init__(self, network):
        super().__init__()
        self.layer1, self.fc = copy.deepcopy(network.layer1), copy.deepcopy(network.fc)

    def forward(self, images):
        return self.fc(self.layer1(images).flatten(1))


def network(channels=6, kernel=3):
    """A ConvNet whose batch norm is not as it begins."""
    made = ConvNet(channels, kernel)
    with torch.no_grad():
        made.layer1[1].weight.copy_(torch.rand(channels) + 0.5)
        made.layer1[1].bias.copy_(torch.randn(channels))
    return made


def learn(model, images, labels, precision=None):
    """Forward and backward; the logits."""
    with torch.autocast("cpu", dtype=precision, enabled=precision is not None):
        answer = model(images)
        loss = nn.functional.cross_entropy(answer, labels)
    loss.backward()
    return answer


def batch(count):
    return torch.rand(count, 1, 28, 28), torch.randint(0, 10, (count,))


@pytest.mark.parametrize(("channels", "kernel", "count"), [(6, 3, 9), (16, 5, 2), (4, 7, 1), (16, 3, 50)])
def test_values_gradients_and_running_statistics_are_those_of_pytorch(channels, kernel, count):
    quick = network(channels, kernel)
    exact = Layers(quick).double()
    for _ in range(3):
        images, labels = batch(count)
        answer, expected = learn(quick, images, labels), learn(exact, images.double(), labels)
        assert type(answer.grad_fn).__name__ == "_NetworkBackward"  # the quick way was taken
        torch.testing.assert_close(answer.double(), expected, rtol=1e-5, atol=2e-5)
    for (name, value), other in zip(quick.named_parameters(), exact.parameters(), strict=True):
        torch.testing.assert_close(value.grad.double(), other.grad, rtol=1e-4, atol=2e-5, msg=name)
    for value, other in zip(quick.buffers(), exact.buffers(), strict=True):
        torch.testing.assert_close(value.double(), other.double(), rtol=1e-5, atol=1e-6)


def test_in_bfloat16_it_errs_no_more_than_pytorch():
    """Each by the mean error against float64, over ten batches."""
    quick = network()
    plain, exact = Layers(quick), Layers(quick).double()
    errors = {"quick": 0.0, "plain": 0.0}
    for _ in range(10):
        images, labels = batch(50)
        answers = [learn(model, images, labels, torch.bfloat16) for model in (quick, plain)]
        assert type(answers[0].grad_fn).__name__ == "_NetworkBackward"
        assert [answer.dtype for answer in answers] == [torch.bfloat16] * 2
        expected = learn(exact, images.double(), labels)
        for name, answer in zip(errors, answers, strict=True):
            errors[name] += (answer.double() - expected).abs().mean().item()
    assert 0 < errors["quick"] < 1.1 * errors["plain"]
    for name, value in exact.named_parameters():
        if name == "layer1.0.bias":  # a batch norm follows: its gradient is nothing but noise
            continue
        mine, theirs = (
            (dict(model.named_parameters())[name].grad.double() - value.grad).norm() / value.grad.norm()
            for model in (quick, plain)
        )
        assert 0 < mine < 1.2 * theirs < 0.1, name
    for value, other in zip(quick.buffers(), plain.buffers(), strict=True):
        torch.testing.assert_close(value, other)


EVERY = torch.arange(-(1 << 15), 1 << 15, dtype=torch.int32).to(torch.int16).view(torch.bfloat16)


def test_relu_by_integers_is_relu_of_every_bfloat16():
    answer = EVERY.clone()
    _relu_(answer)
    assert EVERY.isnan().sum() == 254
    assert torch.equal(answer.isnan(), EVERY.isnan())
    assert torch.equal(answer.nan_to_num(), EVERY.relu().nan_to_num())
    gradient = torch.full_like(EVERY, -3)
    some = ~EVERY.isnan()
    expected = torch.where(EVERY > 0, gradient, 0)
    assert torch.equal(_where_active(gradient, answer)[some], expected[some])


@pytest.mark.parametrize("precision", [None, torch.bfloat16])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_what_is_not_a_number_stays_so(precision, sign):
    quick = network()
    with torch.no_grad():
        quick.layer1[0].weight[0] = torch.copysign(torch.tensor(float("nan")), torch.tensor(sign))
    assert learn(quick, *batch(4), precision).isnan().all()


def test_features_that_are_all_alike_stay_finite():
    quick = network()
    with torch.no_grad():
        quick.layer1[0].weight.zero_()
        quick.layer1[0].bias.fill_(1000.1)
    learn(quick, *batch(4))
    assert all(torch.isfinite(value).all() for value in (*quick.buffers(), *(w.grad for w in quick.parameters())))


def test_epsilon_counts_where_features_hardly_differ():
    quick = network()
    with torch.no_grad():
        quick.layer1[0].weight.mul_(0.01)
        quick.layer1[0].bias.zero_()
    exact = Layers(quick).double()
    images, labels = batch(8)
    answer, expected = learn(quick, images, labels), learn(exact, images.double(), labels)
    torch.testing.assert_close(answer.double(), expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(quick.layer1[0].weight.grad.double(), exact.layer1[0].weight.grad, rtol=1e-3, atol=1e-2)


def test_weights_that_are_frozen_get_no_gradient():
    quick = network()
    quick.layer1.requires_grad_(False)
    learn(quick, *batch(4))
    assert quick.layer1[0].weight.grad is None
    assert quick.fc.weight.grad is not None


def test_elsewhere_it_is_pytorchs_own_bit_for_bit():
    quick = network()
    plain, images = Layers(quick), batch(5)[0]

    def same(change=lambda model: model, images=images):
        return torch.equal(change(quick)(images), change(plain)(images))

    with torch.no_grad():
        assert same()
    with torch.autocast("cpu", dtype=torch.float16):
        assert same()
    assert same(images=images.clone().requires_grad_())
    assert same(lambda model: model.eval())
    assert same(lambda model: model.double().train(), images.double())


@pytest.mark.parametrize("shape", [(2, 3, 28, 28), (2, 1, 27, 28), (28, 28), (2, 784)])
def test_images_of_another_shape_are_refused_as_by_the_layers(shape):
    quick = network()
    with pytest.raises(RuntimeError) as expected:
        Layers(quick)(torch.rand(shape))
    with pytest.raises(RuntimeError) as refused:
        quick(torch.rand(shape))
    assert str(refused.value) == str(expected.value)


def test_a_network_in_train_mode_is_exported_with_its_own_layers(tmp_path):
    torch.onnx.export(
        ConvNet().train(),
        (torch.rand(2, 1, 28, 28),),
        tmp_path / "x.onnx",
        dynamo=False,
        training=torch.onnx.TrainingMode.PRESERVE,
        do_constant_folding=False,
    )
    ops = [node.op_type for node in onnx.load(tmp_path / "x.onnx").graph.node]
    assert ops == ["Conv", "BatchNormalization", "Relu", "Flatten", "Gemm"]


def test_so_it_is_by_the_default_exporter():
    ops = [str(node.target) for node in torch.export.export(ConvNet().train(), (torch.rand(2, 1, 28, 28),)).graph.nodes]
    assert any(name.startswith("aten.batch_norm") for name in ops), ops
    assert "aten.linear.default" in ops


def test_torch_fx_traces_the_layers():
    ops = [node.target for node in torch.fx.symbolic_trace(ConvNet().eval()).graph.nodes]
    assert ops == ["images", "layer1.0", "layer1.1", "layer1.2", "flatten", "fc", "output"]
