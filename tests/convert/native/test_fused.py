"""Operators that exporters decompose are fused again, so they do not block transposes."""

import numpy as np
import onnx.helper as oh
import pytest
import torch
from torch import nn

from convnet_core.convert import node_map as nodes
from convnet_core.convert.native import converter
from convnet_core.convert.native.passes.drop_unused import drop_unused
from convnet_core.convert.native.passes.fuse_channel_shuffle import fuse_channel_shuffle
from convnet_core.convert.native.passes.fuse_group_norm import fuse_group_norm
from convnet_core.convert.native.reader import read_graph
from convnet_core.convert.signature import Signature
from convnet_core.convert.targets import saved_model
from convnet_core.onnx_files import model_file
from tests.convert.native import blocks
from tests.convert.native.test_passes import model_of


class Net(nn.Module):
    """Two convolutions with something between them."""

    def __init__(self, middle):
        super().__init__()
        self.first, self.middle, self.last = nn.Conv2d(3, 12, 3), middle, nn.Conv2d(12, 4, 3)

    def forward(self, x):
        return self.last(self.middle(self.first(x)))


def shuffle(x):
    """As in torchvision's shufflenet."""
    n, c, h, w = x.shape
    return x.view(n, 3, c // 3, h, w).transpose(1, 2).contiguous().view(n, c, h, w)


MIDDLES = {
    "group_norm": (nn.GroupNorm(3, 12), 2),
    "group_norm_plain": (nn.GroupNorm(4, 12, affine=False), 2),
    "one_group": (nn.GroupNorm(1, 12), 2),
    "channel_shuffle": (nn.ChannelShuffle(4), 3),
    "shuffle": (blocks.Block(shuffle), 3),
}


@pytest.mark.parametrize("name", MIDDLES)
def test_only_a_shuffle_transposes_between_convolutions(name, tmp_path):
    middle, transposes = MIDDLES[name]
    table = {"net": (Net(middle), torch.rand(2, 3, 9, 8))}
    assert blocks.mismatches(table, tmp_path) == []
    model = model_file.load(tmp_path / "model.onnx")
    function = converter.convert(converter.read(model))
    entries = nodes.node_map(model, saved_model.trace(function, Signature.of(model)), function)
    op_types = [op.type for node in entries for op in node.ops]
    assert op_types.count("Transpose") == transposes  # 2 of them at the input and the output


X = [("x", [2, 6, 4, 5])]
ONES, ZEROS = np.ones(3, np.float32), np.zeros(3, np.float32)


def group_norm(groups=(0, 3, -1), back=(2, 6, 4, 5), scale=ONES, bias=ZEROS):
    node_protos = [
        oh.make_node("Reshape", ["x", "groups"], ["g"]),
        oh.make_node("InstanceNormalization", ["g", "scale", "zeros"], ["i"], epsilon=1e-3),
        oh.make_node("Reshape", ["i", "back"], ["y"]),
    ]
    constants = {"groups": np.array(groups), "back": np.array(back), "scale": scale, "zeros": bias}
    return model_of(node_protos, X, [("y", list(back))], constants)


def test_a_decomposed_group_norm_is_fused():
    (node,) = drop_unused(fuse_group_norm(read_graph(group_norm()))).nodes
    assert (node.op, node.inputs) == ("GroupNormalization", ("x", "", ""))
    assert node.attributes == {"num_groups": 3, "epsilon": pytest.approx(1e-3)}


@pytest.mark.parametrize(
    "change",
    [
        {"groups": (2, 3, 40)},
        {"back": (2, 3, 8, 5)},
        {"scale": np.array([1, 2, 1], np.float32)},
        {"groups": (0, 4, -1), "scale": np.ones(4, np.float32), "bias": np.zeros(4, np.float32)},
    ],
)
def test_similar_nodes_are_not_fused_to_a_group_norm(change):
    assert [node.op for node in fuse_group_norm(read_graph(group_norm(**change))).nodes][-1] == "Reshape"


def shuffle_model(perm=(0, 2, 1, 3, 4), parts=(2, 3, 2, 4, 5), back=(2, 6, 4, 5)):
    node_protos = [
        oh.make_node("Reshape", ["x", "parts"], ["p"]),
        oh.make_node("Transpose", ["p"], ["t"], perm=list(perm)),
        oh.make_node("Reshape", ["t", "back"], ["y"]),
    ]
    return model_of(node_protos, X, [("y", list(back))], {"parts": np.array(parts), "back": np.array(back)})


def test_a_decomposed_shuffle_is_fused():
    (node,) = drop_unused(fuse_channel_shuffle(read_graph(shuffle_model()))).nodes
    assert (node.op, node.inputs, node.attributes) == ("ChannelShuffle", ("x",), {"groups": 3})


@pytest.mark.parametrize(
    "change", [{"perm": (0, 2, 1, 4, 3)}, {"parts": (2, 3, 4, 2, 5)}, {"back": (2, 6, 5, 4)}, {"back": (2, 2, 12, 5)}]
)
def test_similar_nodes_are_not_fused_to_a_shuffle(change):
    assert [node.op for node in fuse_channel_shuffle(read_graph(shuffle_model(**change))).nodes][-1] == "Reshape"
