"""Resizing, sampling, indexing, reductions and other tensor operations."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.convert.native.blocks import mismatches
from tests.support.marks import some_slow

L, I, V = torch.randn(2, 4, 12), torch.randn(2, 4, 6, 8), torch.randn(2, 4, 4, 5, 6)  # noqa: E741
ROWS = torch.tensor([[0, 2, 1], [3, 0, 2]])


def resizes():
    modes = [("nearest", 2), ("nearest-exact", 2), ("bilinear", 2), ("bicubic", 2), ("area", 2)]
    modes += [("linear", 1), ("nearest", 1), ("trilinear", 3), ("nearest", 3)]
    images = {1: L, 2: I, 3: V}
    table = {}
    for mode, rank in modes:
        for scale in (2, 1.5, 0.5):
            table[f"{mode}_{rank}d_{scale}"] = (
                lambda x, mode=mode, scale=scale: F.interpolate(x, scale_factor=scale, mode=mode), images[rank]
            )  # fmt: skip
        if mode.endswith(("linear", "cubic")):
            table[f"{mode}_{rank}d_aligned"] = (
                lambda x, mode=mode: F.interpolate(x, scale_factor=2, mode=mode, align_corners=True), images[rank]
            )  # fmt: skip
    return table | {
        "size": (lambda x: F.interpolate(x, size=(9, 5), mode="bilinear"), I),
        "size_aligned": (lambda x: F.interpolate(x, size=(9, 5), mode="bilinear", align_corners=True), I),
        "size_nearest": (lambda x: F.interpolate(x, size=(9, 5)), I),
        "size_cubic": (lambda x: F.interpolate(x, size=(4, 13), mode="bicubic", align_corners=True), I),
        "antialias": (lambda x: F.interpolate(x, size=(3, 5), mode="bilinear", antialias=True), I),
        "upsample": (nn.Upsample(scale_factor=(2.0, 3.0), mode="bilinear", align_corners=False), I),
        "unit_scale": (lambda x: F.interpolate(x, scale_factor=(1.0, 2.0), mode="nearest"), I),
    }


def sampling():
    grid = torch.rand(2, 5, 7, 2) * 2.4 - 1.2
    table = {
        f"{mode}_{padding}_{aligned}": (
            lambda x, g, m=mode, p=padding, a=aligned: F.grid_sample(x, g, m, p, a), I, grid,
        )
        for mode in ("bilinear", "nearest", "bicubic")
        for padding, aligned in (("zeros", False), ("border", True), ("reflection", False), ("reflection", True))
    }  # fmt: skip
    theta = torch.tensor([[[0.8, 0.2, 0.1], [-0.1, 1.1, 0.0]]] * 2)
    return table | {
        "volume": (lambda x, g: F.grid_sample(x, g, align_corners=False), V, torch.rand(2, 3, 4, 5, 3) * 2 - 1),
        "affine": (
            lambda x, t: F.grid_sample(x, F.affine_grid(t, [x.shape[0], 4, 5, 5], False), align_corners=False),
            I,
            theta,
        ),
        "shuffle": (nn.PixelShuffle(2), I),
        "unshuffle": (nn.PixelUnshuffle(2), I),
        "channels": (nn.ChannelShuffle(2), I),
        "unfold": (nn.Unfold(3, padding=1, stride=2), I),
        "fold": (lambda x: F.fold(F.unfold(x, 2, stride=2), (6, 8), 2, stride=2), I),
        "unpool": (lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2), I),
    }  # fmt: skip


def paddings():
    table = {
        "constant_1d": nn.ConstantPad1d((1, 2), 0.5),
        "zero_1d": nn.ZeroPad1d((0, 2)),
        "reflect_1d": nn.ReflectionPad1d((2, 1)),
        "replicate_1d": nn.ReplicationPad1d((2, 1)),
        "circular_1d": nn.CircularPad1d((2, 1)),
        "constant_2d": nn.ConstantPad2d((1, 2, 0, 3), -1.0),
        "crop": nn.ConstantPad2d((-1, 2, 0, -2), 1.0),
        "zero_2d": nn.ZeroPad2d(1),
        "reflect_2d": nn.ReflectionPad2d((1, 2, 3, 0)),
        "replicate_2d": nn.ReplicationPad2d((1, 2, 3, 0)),
        "circular_2d": nn.CircularPad2d((1, 2, 3, 0)),
        "constant_3d": nn.ConstantPad3d(1, 2.0),
        "reflect_3d": nn.ReflectionPad3d(1),
        "replicate_3d": nn.ReplicationPad3d((1, 0, 2, 1, 0, 1)),
    }
    return {name: (module, {"1": L, "3": V}.get(name[-2], I)) for name, module in table.items()}


def indexing():
    wide = torch.randn(2, 4, 5)
    indices = torch.tensor([[[0, 1, 3, 2, 0]], [[2, 2, 1, 0, 3]]])
    return {
        "embedding": (nn.Embedding(6, 3), ROWS),
        "gather": (lambda x, i: torch.gather(x, 1, i), wide, indices),
        "scatter": (lambda x, i: torch.scatter(x, 1, i, 7.0), wide, indices),
        "scatter_add": (lambda x, i: torch.scatter_add(x, 1, i, x[:, :1]), wide, indices),
        "scatter_max": (lambda x, i: torch.scatter_reduce(x, 1, i, x[:, :1], "amax"), wide, indices),
        "index_select": (lambda x: torch.index_select(x, 1, torch.tensor([3, 0, 0])), wide),
        "index": (lambda x: x[:, torch.tensor([1, 0]), torch.tensor([4, 2])], wide),
        "index_two_axes": (lambda x: x[:, [1, 0], :, [3, 2]], I),
        "index_batch": (lambda x, i: x[torch.arange(x.shape[0])[:, None], i[:, 0]], wide, indices),
        "put": (lambda x: x.index_put((torch.tensor([0]), torch.tensor([1])), torch.tensor(5.0)), wide),
        "put_slice": (Put(), wide),
        "masked_fill": (lambda x: x.masked_fill(x > 0, -1.0), wide),
        "where": (lambda x: torch.where(x > 0, x, -2 * x), wide),
        "slice": (lambda x: x[:, 1:-1, ::2], wide),
        "ends": (lambda x: (x[..., -1], x[:, :2, None]), wide),
        "narrow": (lambda x: x.narrow(1, 1, 2), wide),
        "one_hot": (lambda i: F.one_hot(i, 6), ROWS),
        "top": (lambda x: x.topk(3, dim=1), wide),
        "bottom": (lambda x: x.topk(2, dim=-1, largest=False), wide),
        "sort": (lambda x: x.sort(dim=1, descending=True), wide),
        "argsort": (lambda x: x.argsort(-1), wide),
        "argmax": (lambda x: (x.argmax(1), x.argmin(-1, keepdim=True)), wide),
        "argmax_all": (lambda x: x[:1].argmax(), wide),
        "max": (lambda x: x.max(1), wide),
        "kth": (lambda x: x.topk(2, 1).values[:, -1], wide),
    }


class Put(nn.Module):
    """Assignment to slices."""

    def forward(self, x):
        x = x.clone()
        x[:, 1] = 0.5
        x[:, 2:, 1:3] = x[:, :2, 2:4]
        return x


def masks():
    square = torch.randn(2, 5, 5)
    return {
        "tril": (lambda x: x.tril(), square),
        "triu": (lambda x: x.triu(1), square),
        "triu_below": (lambda x: x.triu(-1), square),
        "cumsum": (lambda x: x.cumsum(1), square),
        "cumsum_last": (lambda x: x.cumsum(-1), square),
        "logcumsumexp": (lambda x: x.logcumsumexp(1), square),
        "roll": (lambda x: x.roll((1, -2), (1, 2)), square),
        "flip": (lambda x: x.flip(1, 2), square),
        "tile": (lambda x: x.tile(1, 2, 3), square),
        "repeat": (lambda x: x.repeat_interleave(2, dim=1), square),
        "expand": (lambda x: x[:, None].expand(-1, 3, -1, -1), square),
        "meshgrid": (lambda x: torch.stack(torch.meshgrid(x[0, 0], x[0, 1], indexing="ij")), square),
        "chunk": (lambda x: x.chunk(2, 1), square),
        "split": (lambda x: x.split([1, 3, 1], -1), square),
        "unbind": (lambda x: x.unbind(1)[2], square),
        "stack": (lambda x: torch.stack([x, x + 1], 2), square),
        "cat": (lambda x: torch.cat([x, x[:, :2]], 1), square),
        "swap": (lambda x: x.transpose(1, 2).reshape(x.shape[0], -1), square),
        "squeeze": (lambda x: x[:, :1].squeeze(1).unsqueeze(-1), square),
        "diagonal": (lambda x: x.diagonal(dim1=1, dim2=2), square),
        "bools": (lambda x: ((x > 0) & (x < 1) | ~(x > -1), (x > 0).any(1), (x > -9).all(-1)), square),
    }


def reductions():
    x = torch.randn(2, 4, 5)
    return {
        "mean": (lambda x: (x.mean(1), x.mean((1, 2), keepdim=True), x[:1].mean()), x),
        "sum": (lambda x: (x.sum(-1), x.sum((0, 1)) * 0 + x[:1].sum()), x),
        "variance": (lambda x: (x.var(1), x.std(-1), x.var(1, correction=0)), x),
        "norms": (lambda x: (x.norm(dim=1), x.norm(p=1, dim=-1), torch.linalg.vector_norm(x, dim=(1, 2))), x),
        "norm_max": (lambda x: torch.linalg.vector_norm(x, float("inf"), dim=1), x),
        "logsumexp": (lambda x: x.logsumexp(1), x),
        "extremes": (lambda x: (x.amax(1), x.amin((1, 2)), x.prod(-1)), x),
        "counts": (lambda x: ((x > 0).sum(1), (x > 0).float().mean(1)), x),
        "cosine": (lambda x: F.cosine_similarity(x[:, :2], x[:, 2:], dim=-1), x),
        "einsum": (lambda x: torch.einsum("bij,bkj->bik", x, x), x),
        "einsum_outer": (lambda x: torch.einsum("bi,bj->bij", x[:, 0], x[:, 1]), x),
        "matmul": (lambda x: (x @ x.transpose(1, 2), x @ x[0, 0], torch.bmm(x, x.mT)), x),
        "linear": (nn.Linear(5, 3), x),
        "bilinear": (nn.Bilinear(5, 5, 3), x, x.flip(1)),
        "linear_vector": (lambda x: F.linear(x[:, 0], torch.eye(5)[:3]), x),
        "baddbmm": (lambda x: torch.baddbmm(x[:, :, :4], x, x.mT, beta=0.5, alpha=2.0), x),
    }


def arithmetic():
    x, n = torch.randn(2, 4, 5), torch.tensor([[7, -7, 5, 0], [1, -3, 9, 2]])
    return {
        "integers": (lambda n: (n + 2, n * n, n % 3, -n, n.abs(), n.clamp(0, 5)), n),
        "int32": (lambda n: (n.int() // 3, torch.div(n.int(), 2, rounding_mode="trunc"), n.int() % 3), n),
        "true_division": (lambda n: n / 2, n),
        "remainder": (lambda x: (x % 0.7, torch.fmod(x, 0.7), x // 0.7), x),
        "casts": (lambda n: (n.float(), n.int(), n.bool(), n.float().long()), n),
        "powers": (lambda x: (x**2, x.abs() ** 0.5, 2.0**x, x.abs().rsqrt(), x.square(), x.reciprocal()), x),
        "exponentials": (lambda x: (x.exp(), x.abs().log(), x.expm1(), x.abs().log1p(), x.abs().log2(), x.exp2()), x),
        "angles": (lambda x: (x.sin(), x.cos(), torch.atan2(x, x + 0.5)), x),
        "rounding": (lambda x: (x.round(), x.floor(), x.ceil(), x.trunc(), x.frac(), x.sign()), x),
        "pairs": (lambda x: (torch.maximum(x, -x), torch.minimum(x, x * 2), torch.lerp(x, -x, 0.3)), x),
        "fused_adds": (lambda x: (torch.addcmul(x, x, x, value=0.5), torch.addcdiv(x, x, x + 9), 1 - x, x - 1), x),
        "special": (lambda x: (x.sigmoid().logit(), torch.isnan(x), torch.isfinite(x)), x),
        "logical": (lambda n: (n == 0, n != 5, n >= 1, torch.logical_xor(n > 0, n < 5)), n),
        "new_tensors": (lambda x: (torch.zeros_like(x), x.new_ones(x.shape[0], 2), torch.arange(5) + x[0, 0]), x),
        "full": (lambda x: torch.full((x.shape[0], 3), 2.5) * x[:, :1, 0], x),
        "sizes": (lambda x: x * x.shape[0] + torch.arange(x.shape[0])[:, None, None], x),
    }


KINDS = {
    "resizes": resizes,
    "sampling": sampling,
    "paddings": paddings,
    "indexing": indexing,
    "masks": masks,
    "reductions": reductions,
    "arithmetic": arithmetic,
}


@pytest.mark.parametrize("kind", some_slow(KINDS, "sampling", "resizes", "indexing", "masks"))
def test_tensors(kind, tmp_path):
    torch.manual_seed(0)
    assert mismatches(KINDS[kind](), tmp_path) == []
