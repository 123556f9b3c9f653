"""How much a network computes, and whether the worst inputs are searched for."""

import pytest

from convnet_core.common.formatting import format_duration
from convnet_core.config.stages import DissectConfig
from convnet_core.dissect import cost
from convnet_core.graphs.cost import multiply_adds
from convnet_core.graphs.graph import Graph, Node, Tensor


def graph_of(op, left, right, output, **attributes):
    node = Node("n", "n", op, attributes=attributes, inputs=("a", "w"), outputs=("y",))
    shapes = {"a": left, "w": right, "y": output}
    return Graph("onnx", "g", (node,), (), {name: Tensor(name, "float32", shape) for name, shape in shapes.items()})


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        (graph_of("Conv", ("b", 3, 224, 224), (64, 3, 7, 7), ("b", 64, 112, 112)), 64 * 112 * 112 * 3 * 7 * 7),
        (graph_of("ConvTranspose", (1, 8, 5, 5), (8, 4, 2, 2), (1, 4, 10, 10)), 8 * 5 * 5 * 4 * 2 * 2),
        (graph_of("Gemm", ("b", 512), (1000, 512), ("b", 1000)), 512_000),
        (graph_of("Gemm", (512, "b"), (1000, 512), ("b", 1000), transA="1"), 512_000),
        (graph_of("MatMul", ("b", 12, 64), (64, 32), ("b", 12, 32)), 12 * 64 * 32),
        (graph_of("Relu", (1, 9), (), (1, 9)), 0),
        (graph_of("Conv", None, None, None), 1),
    ],
)
def test_multiply_adds_of_one_sample(graph, expected):
    assert multiply_adds(graph) == expected


def test_the_worst_inputs_are_searched_for_in_small_networks_unless_the_user_decides():
    for size, worst in ((cost.SMALL, "yes"), (cost.SMALL + 1, "no")):
        assert cost.decide(DissectConfig(), size).worst == worst
        for chosen in ("yes", "no"):
            assert cost.decide(DissectConfig(worst=chosen), size).worst == chosen


def test_a_larger_network_takes_longer():
    small, large = (cost.seconds(DissectConfig(), size) for size in (1, 10**9))
    assert small < large
    assert cost.search_seconds(DissectConfig(), 10**9) > 10 * cost.search_seconds(DissectConfig(steps=1), 10**9)


def test_durations_in_words():
    assert [format_duration(seconds) for seconds in (0.2, 6.4, 89, 100, 400)] == [
        "1 s",
        "6 s",
        "89 s",
        "2 minutes",
        "7 minutes",
    ]
