"""Convolutions, pools, normalizations and activations of torch.nn."""

import pytest
import torch
from torch import nn

from convnet_core.errors import ConversionError
from tests.convert.native.blocks import mismatches
from tests.support.marks import few_quick

L, I, V = (torch.randn(2, 4, 12), torch.randn(2, 4, 9, 11), torch.randn(2, 4, 6, 7, 5))  # noqa: E741
BY_RANK = {1: L, 2: I, 3: V}
CONVS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}


def convolutions(rank):
    conv, x = CONVS[rank], BY_RANK[rank]
    table = {
        "plain": conv(4, 6, 3),
        "stride": conv(4, 6, 3, stride=2, padding=1),
        "dilated": conv(4, 6, 2, dilation=2),
        "dilated_padded": conv(4, 6, 3, dilation=2, padding=2),
        "grouped": conv(4, 8, 3, groups=2, padding=1),
        "grouped_strided_dilated": conv(4, 8, 2, groups=2, stride=2, padding=1, dilation=2),
        "depthwise": conv(4, 4, 3, groups=4, padding=1),
        "depthwise_twice": conv(4, 8, 3, groups=4, stride=2, bias=False),
        "one": conv(4, 5, 1),
        "same": conv(4, 5, 4, padding="same"),
        "same_dilated": conv(4, 5, 2, padding="same", dilation=3),
        "uneven": conv(4, 5, tuple(range(2, 2 + rank)), padding=tuple(range(rank))),
    }
    if rank < 3:
        table |= {
            f"padding_{mode}": conv(4, 5, 3, padding=2, padding_mode=mode)
            for mode in ("zeros", "reflect", "replicate", "circular")
        }
    return {name: (module, x) for name, module in table.items()}


def transposed_convolutions(rank):
    conv, x = TRANSPOSED[rank], BY_RANK[rank]
    table = {
        "plain": conv(4, 6, 3),
        "stride": conv(4, 6, 3, stride=2, padding=1),
        "output_padding": conv(4, 6, 3, stride=2, padding=1, output_padding=1),
        "dilated": conv(4, 6, 2, dilation=2, padding=1),
        "grouped": conv(4, 6, 3, groups=2, stride=2),
        "depthwise": conv(4, 4, 3, groups=4, stride=2, padding=1),
        "kernel_less_than_stride": conv(4, 6, 2, stride=3),
        "kernel_4": conv(4, 6, 4, stride=2, padding=1, bias=False),
    }
    return {name: (module, x) for name, module in table.items()}


def pools(rank):
    x = BY_RANK[rank]
    maximum = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}[rank]
    average = {1: nn.AvgPool1d, 2: nn.AvgPool2d, 3: nn.AvgPool3d}[rank]
    to_maximum = {1: nn.AdaptiveMaxPool1d, 2: nn.AdaptiveMaxPool2d, 3: nn.AdaptiveMaxPool3d}[rank]
    to_average = {1: nn.AdaptiveAvgPool1d, 2: nn.AdaptiveAvgPool2d, 3: nn.AdaptiveAvgPool3d}[rank]
    table = {
        "max": maximum(3),
        "max_stride": maximum(3, 2, 1),
        "max_ceil": maximum(3, 2, 1, ceil_mode=True),
        "max_ceil_4": maximum(2, 3, ceil_mode=True),
        "max_dilated": maximum(2, 1, dilation=2),
        "max_indices": maximum(2, 2, return_indices=True),
        "average": average(3),
        "average_stride": average(3, 2, 1),
        "average_ceil": average(3, 2, 1, ceil_mode=True),
        "average_ceil_without_padding": average(3, 2, 1, ceil_mode=True, count_include_pad=False),
        "average_without_padding": average(3, 2, 1, count_include_pad=False),
        "to_1": to_average(1),
        "max_to_1": to_maximum(1),
    }
    if rank == 2:
        table |= {
            "to_3": to_average(3),
            "to_uneven": to_average((4, 5)),
            "max_uneven": nn.MaxPool2d((3, 2), (1, 2), (1, 0)),
            "lp": nn.LPPool2d(2, 3, stride=2),
            "lp_1": nn.LPPool2d(1.5, 2),
        }
    if rank == 1:
        table |= {"lp": nn.LPPool1d(2, 3), "to_4": to_average(4), "max_to_4": to_maximum(4)}
    return {name: (module, x.abs() if name.startswith("lp") else x) for name, module in table.items()}


def norms():
    return {
        "batch_1d": (nn.BatchNorm1d(4), L),
        "batch_flat": (nn.BatchNorm1d(4), torch.randn(2, 4)),
        "batch_2d": (nn.BatchNorm2d(4, eps=0.1), I),
        "batch_3d": (nn.BatchNorm3d(4), V),
        "batch_plain": (nn.BatchNorm2d(4, affine=False), I),
        "instance_1d": (nn.InstanceNorm1d(4), L),
        "instance_2d": (nn.InstanceNorm2d(4, affine=True), I),
        "instance_3d": (nn.InstanceNorm3d(4, affine=True), V),
        "instance_tracked": (nn.InstanceNorm2d(4, affine=True, track_running_stats=True), I),
        "group": (nn.GroupNorm(2, 4), I),
        "group_1": (nn.GroupNorm(1, 4, eps=0.1), L),
        "group_3d": (nn.GroupNorm(4, 4, affine=False), V),
        "layer": (nn.LayerNorm(11), I),
        "layer_two": (nn.LayerNorm((9, 11), eps=0.1), I),
        "layer_plain": (nn.LayerNorm(11, elementwise_affine=False), I),
        "layer_no_bias": (nn.LayerNorm(11, bias=False), I),
        "rms": (nn.RMSNorm(11), I),
        "local": (nn.LocalResponseNorm(3), I),
        "local_even": (nn.LocalResponseNorm(4, alpha=0.1, beta=0.5, k=2.0), I),
        "unit": (lambda x: nn.functional.normalize(x, dim=1), I),
        "unit_1": (lambda x: nn.functional.normalize(x, p=1.0, dim=-1), I),
    }


def activations():
    x = torch.linspace(-6, 6, 88).reshape(2, 4, 11)
    plain = [
        "ELU", "Hardshrink", "Hardsigmoid", "Hardtanh", "Hardswish", "LeakyReLU", "LogSigmoid", "PReLU", "ReLU",
        "ReLU6", "SELU", "CELU", "GELU", "Sigmoid", "SiLU", "Mish", "Softplus", "Softshrink", "Softsign",
        "Tanh", "Tanhshrink",
    ]  # fmt: skip
    table = {name: (getattr(nn, name)(), x.clone()) for name in plain}
    return table | {
        "ELU_alpha": (nn.ELU(0.3), x),
        "CELU_alpha": (nn.CELU(0.7), x),
        "LeakyReLU_slope": (nn.LeakyReLU(0.2), x),
        "PReLU_channels": (nn.PReLU(4), x),
        "GELU_tanh": (nn.GELU("tanh"), x),
        "Hardtanh_bounds": (nn.Hardtanh(-2, 0.5), x),
        "Hardshrink_2": (nn.Hardshrink(2.0), x),
        "Softshrink_2": (nn.Softshrink(2.0), x),
        "Softplus_beta": (nn.Softplus(2.0, 3.0), x),
        "Threshold": (nn.Threshold(0.5, -2.0), x),
        "GLU": (nn.GLU(1), x),
        "Softmax": (nn.Softmax(-1), x),
        "Softmax_1": (nn.Softmax(1), x),
        "Softmin": (nn.Softmin(2), x),
        "LogSoftmax": (nn.LogSoftmax(1), x),
        "Softmax2d": (nn.Softmax2d(), I),
        "clamp": (lambda x: x.clamp(-1, 2), x),
        "clamp_min": (lambda x: x.clamp(min=-1), x),
    }


def old_gelus():
    x = torch.linspace(-6, 6, 88).reshape(2, 4, 11)
    return {
        "divided": (lambda x: x * 0.5 * (1.0 + torch.erf(x / 1.4142135623730951)), x),
        "multiplied": (lambda x: 0.5 * (x * (torch.erf(x * 0.7071067811865476) + 1)), x),
    }


@pytest.mark.slow
def test_the_error_lists_the_operators_that_tflite_lacks(tmp_path):
    with pytest.raises(ConversionError, match=r"built-in ops: Erf \(node .*\); MatrixDeterminant \(node .*\)"):
        mismatches({"erf": (torch.erf, L), "determinant": (torch.det, torch.randn(2, 3, 3))}, tmp_path)


KINDS = {
    **{f"convolutions_{rank}d": lambda rank=rank: convolutions(rank) for rank in (1, 2, 3)},
    **{f"transposed_convolutions_{rank}d": lambda rank=rank: transposed_convolutions(rank) for rank in (1, 2, 3)},
    **{f"pools_{rank}d": lambda rank=rank: pools(rank) for rank in (1, 2, 3)},
    "norms": norms,
    "activations": activations,
    "old_gelus": old_gelus,
}


@pytest.mark.parametrize("kind", few_quick(KINDS, "convolutions_2d", "norms", "pools_2d", "activations"))
def test_layers(kind, tmp_path):
    torch.manual_seed(0)
    assert mismatches(KINDS[kind](), tmp_path) == []
