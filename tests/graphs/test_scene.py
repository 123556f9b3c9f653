"""Scenes: nothing overlaps, no edge crosses a box or a label, and folds contain exactly their nodes."""

import itertools
import random

import pytest

from convnet_core.graphs.diagram import Box, Diagram, Link
from convnet_core.graphs.folds import Fold, fold, open_at_first
from convnet_core.graphs.scene import arrange


def diagram(count, links, group=lambda _: ()):
    """A diagram of nodes of different sizes; `group` gives the groups of each."""
    boxes = tuple(
        Box(str(node), "Op" * (1 + node % 7), "name", ("line",) * (node % 4), groups=group(node))
        for node in range(count)
    )
    return Diagram(boxes, tuple(Link(str(a), str(b), f"t{a}", f"{a}×64×56×56") for a, b in links))


def chain(count):
    return [(node, node + 1) for node in range(count - 1)]


def tangle(count, reach=20, seed=0):
    rng = random.Random(seed)
    return [(rng.randrange(max(0, node - reach), node), node) for node in range(1, count) for _ in range(2)]


def modules(node):
    """Blocks of 5 in layers of 20."""
    return f"layer{node // 20}", f"layer{node // 20}.{node // 5}"


def shared(node):
    """The module `relu` is used again and again."""
    return ("block", "relu") if node % 3 == 2 else ("block", f"conv{node // 6}")


DIAGRAMS = {
    "one": diagram(1, []),
    "chain": diagram(30, chain(30)),
    "unconnected": diagram(6, []),
    "residual": diagram(60, chain(60) + [(node, node + 5) for node in range(0, 55, 5)], modules),
    "one to all": diagram(100, [(0, node) for node in range(1, 100)]),
    "all to one": diagram(100, [(node, 99) for node in range(99)]),
    "tangle": diagram(120, tangle(120), modules),
    "a shared module": diagram(40, chain(40) + [(node, node + 4) for node in range(0, 36, 4)], shared),
    "more long edges than layers have room for": diagram(90, chain(90) + [(0, node) for node in range(2, 90)], modules),
    "a node that reads itself": diagram(2, [(0, 0), (0, 1)]),
    "a module with the name of a node": diagram(4, chain(4), lambda node: ("3",) if node in (1, 2) else ()),
    "a cycle": diagram(4, [(0, 1), (1, 2), (2, 1), (2, 3)]),
}


def scenes():
    """Each diagram as it is at first, closed and with all folds open."""
    for name, each in DIAGRAMS.items():
        root = fold(each)
        for state, opened in (
            ("at first", open_at_first(root)),
            ("closed", frozenset()),
            ("open", {item.id for item in root.folds}),
        ):
            yield pytest.param(each, root, opened, id=f"{name}, {state}")


def rectangle(item):
    left = item.x if hasattr(item, "is_open") else item.x - item.width / 2
    return left, item.y, left + item.width, item.y + item.height


def overlap(one, two, slack=0.2):
    return min(one[2], two[2]) - max(one[0], two[0]) > slack and min(one[3], two[3]) - max(one[1], two[1]) > slack


@pytest.mark.parametrize(("each", "root", "opened"), [*scenes()])
def test_no_boxes_and_labels_overlap_and_no_edge_crosses_one(each, root, opened):
    scene = arrange(each, root, opened)
    frames = [rectangle(shape) for shape in scene.shapes if shape.is_open]
    solid = [rectangle(item) for item in (*scene.labels, *(shape for shape in scene.shapes if not shape.is_open))]
    solid += [(left, top, right, top + 28) for left, top, right, _ in frames]  # their titles
    for one, two in itertools.combinations(solid, 2):
        assert not overlap(one, two)
    for one, two in itertools.combinations(frames, 2):
        inside = all(a <= b + 0.2 for a, b in zip((*one[:2], *two[2:]), (*two[:2], *one[2:]), strict=True))
        assert inside or not overlap(one, two), "a fold lies in another one or beside it"
    for wire in scene.wires:
        for (x, y), (to_x, to_y) in itertools.pairwise(wire.points):
            assert y <= to_y or x == to_x, "edges to the side go down"
            corridor = min(x, to_x), min(y, to_y), max(x, to_x), max(y, to_y)  # a curve stays in here
            for item in solid:
                horizontal = min(item[2], corridor[2]) - max(item[0], corridor[0])
                vertical = min(item[3], corridor[3]) - max(item[1], corridor[1])
                assert horizontal < 0 or vertical <= 0.2, (wire, item)
    right, bottom = scene.width + 0.2, scene.height + 0.2
    assert all(0 <= x <= right and 0 <= y <= bottom for wire in scene.wires for x, y in wire.points)
    assert all(item[0] >= -0.2 and item[1] >= 0 and item[2] <= right and item[3] <= bottom for item in solid)


@pytest.mark.parametrize(("each", "root", "opened"), [*scenes()])
def test_the_edges_of_a_tensor_connect_the_boxes_that_share_it(each, root, opened):
    """From each shown producer the pieces of its tensor lead to each shown reader."""
    scene = arrange(each, root, opened)
    shapes = {shape.item.id: shape for shape in scene.shapes}
    for link in each.links:
        source, target = (shapes[scene.shown[end]] for end in (link.source, link.target))
        if source is target:
            continue
        ends = [(wire.points[0], wire.points[-1]) for wire in scene.wires if wire.tensor == link.tensor]
        reached = [end for start, end in ends if touches(source, start)]
        for place in reached:  # the loop extends `reached`
            reached += [end for start, end in ends if close(place, start) and end not in reached]
        assert any(touches(target, place) for place in reached)


def touches(shape, point):
    left, top, right, bottom = rectangle(shape)
    return left - 0.2 <= point[0] <= right + 0.2 and min(abs(point[1] - top), abs(point[1] - bottom)) <= 0.2


def close(one, two):
    """A piece goes on below a label, or below the title of a fold."""
    return abs(one[0] - two[0]) < 0.2 and -0.2 < two[1] - one[1] < 29


@pytest.mark.parametrize("each", DIAGRAMS.values(), ids=DIAGRAMS)
def test_folds_contain_exactly_their_nodes(each):
    root = fold(each)
    assert sorted(box.id for box in root.boxes) == sorted(box.id for box in each.boxes)
    for item in root.folds:
        name = item.id.split(" (")[0].rstrip("/")
        assert len(item.boxes) > 1
        assert all(name in box.groups for box in item.boxes)
    parts = {}
    for item in root.folds:
        parts.setdefault(item.id.split(" (")[0].rstrip("/"), []).extend(item.boxes)
    for name, boxes in parts.items():
        assert len(boxes) == len(set(boxes)) <= sum(name in box.groups for box in each.boxes)


def test_blocks_are_folded_by_module():
    root = fold(DIAGRAMS["residual"])
    assert [item.id for item in root.items] == ["layer0", "layer1", "layer2"]
    assert [len(item.boxes) for item in root.items] == [20, 20, 20]
    assert [item.id for item in root.items[0].items] == ["layer0.0", "layer0.1", "layer0.2", "layer0.3"]


def test_data_never_leaves_a_fold_and_comes_back():
    """Else the layers of a closed fold would contradict each other."""
    root = fold(DIAGRAMS["a shared module"])
    after = {}
    for link in DIAGRAMS["a shared module"].links:
        after.setdefault(link.source, set()).add(link.target)
    for item in root.folds:
        inside = {box.id for box in item.boxes}
        outside = {target for node in inside for target in after.get(node, ())} - inside
        for _ in range(40):
            outside |= {target for node in outside for target in after.get(node, ())}
        assert not outside & inside, item.id


def test_a_small_diagram_is_open_and_a_large_one_folded_at_first():
    assert open_at_first(fold(diagram(10, chain(10), modules))) == {"layer0", "layer0.0", "layer0.1"}
    assert open_at_first(fold(diagram(400, chain(400), modules))) == frozenset()


@pytest.mark.parametrize("links", [chain(2000), tangle(2000)], ids=["chain", "tangle"])
def test_two_thousand_nodes(links):
    each = diagram(2000, links)
    scene = arrange(each, fold(each), frozenset())
    assert len(scene.shapes) == len(scene.shown) == 2000
    rows = {}
    for item in (*scene.shapes, *scene.labels):
        rows.setdefault(item.y, []).append(rectangle(item))
    for row in rows.values():
        row.sort()
        assert all(one[2] <= two[0] + 0.2 for one, two in itertools.pairwise(row))


def test_an_inner_fold_with_the_same_nodes_is_the_fold():
    root = fold(diagram(10, chain(10), lambda node: ("net", "net.body") if node else ()))
    assert [item.id for item in root.items if isinstance(item, Fold)] == ["net.body"]
