"""Graph layout: the properties that make a drawing readable."""

import itertools
import random

import pytest

from convnet_core.graphs.layout import lay_out, layers_of
from tests.conftest import python


def chain(count):
    return [(node, node + 1) for node in range(count - 1)]


def tangle(count, seed=0):
    """Each node reads from two of the 20 before it."""
    rng = random.Random(seed)
    return [(rng.randrange(max(0, node - 20), node), node) for node in range(1, count) for _ in range(2)]


GRAPHS = {
    "empty": (0, []),
    "one": (1, []),
    "unconnected": (5, []),
    "chain": (30, chain(30)),
    "twice the same edge": (2, [(0, 1), (0, 1)]),
    "a node that reads itself": (2, [(0, 0), (0, 1)]),
    "skips": (41, chain(41) + [(node, node + 5) for node in range(0, 36, 5)]),
    "two parts": (20, chain(10) + [(source + 10, target + 10) for source, target in chain(10)]),
    "one to all": (200, [(0, node) for node in range(1, 200)]),
    "all to one": (200, [(node, 199) for node in range(199)]),
    "tangle": (150, tangle(150)),
}


@pytest.mark.parametrize(("count", "links"), GRAPHS.values(), ids=GRAPHS)
def test_data_flows_downward_and_no_two_nodes_share_a_position(count, links):
    layout = lay_out(count, links)
    assert len(layout.positions) == len(set(layout.positions)) == count
    for source, target in links:
        if source != target:
            assert layout.positions[source][1] < layout.positions[target][1]
    for y in {y for _, y in layout.positions}:
        row = sorted(position[0] for position in layout.positions if position[1] == y)
        assert all(right - left > 0.99 for left, right in itertools.pairwise(row))


@pytest.mark.parametrize(("count", "links"), GRAPHS.values(), ids=GRAPHS)
def test_a_long_edge_bends_around_the_nodes_of_each_layer_it_passes(count, links):
    layout = lay_out(count, links)
    positions = set(layout.positions)
    for (source, target), bends in layout.bends.items():
        first, last = layout.positions[source][1], layout.positions[target][1]
        assert [y for _, y in bends] == list(range(int(first) + 1, int(last)))
        assert not positions & set(bends)


def test_a_chain_is_a_straight_line():
    assert lay_out(30, chain(30)).positions == [(0.0, float(node)) for node in range(30)]


def test_an_input_is_just_above_the_node_that_reads_it():
    """Not at the top: node 3 feeds the last node of the chain 0, 1, 2."""
    assert layers_of(4, [(0, 1), (1, 2), (3, 2)]) == [0, 1, 2, 1]


def test_a_cycle_is_drawn_with_one_upward_edge():
    layers = layers_of(4, [(0, 1), (1, 2), (2, 1), (2, 3)])
    assert layers == [0, 1, 2, 3]
    assert len(set(lay_out(3, [(0, 1), (1, 2), (2, 0)]).positions)) == 3


def test_unconnected_parts_are_side_by_side():
    count, links = GRAPHS["two parts"]
    positions = lay_out(count, links).positions
    assert max(x for x, _ in positions[:10]) < min(x for x, _ in positions[10:])


def test_the_number_of_bends_grows_only_with_the_graph():
    """A mask that every one of 600 nodes reads would have 180,000 bends."""
    layout = lay_out(601, chain(601) + [(0, node) for node in range(2, 601)])
    assert 0 < sum(map(len, layout.bends.values())) <= 4 * 601


def test_a_graph_of_thousands_of_layers_and_one_of_thousands_of_columns():
    assert lay_out(3000, chain(3000)).positions[-1] == (0.0, 2999.0)
    assert len(set(lay_out(3000, GRAPHS["one to all"][1] + [(1, node) for node in range(200, 3000)]).positions)) == 3000
    assert len(set(lay_out(2000, tangle(2000)).positions)) == 2000


def test_the_same_graph_has_the_same_layout_in_every_process():
    code = """
from convnet_core.graphs.layout import lay_out
from tests.graphs.test_layout import tangle
print(lay_out(150, tangle(150)))
"""
    assert python(code, env={"PYTHONHASHSEED": "1"}).stdout == python(code, env={"PYTHONHASHSEED": "2"}).stdout
