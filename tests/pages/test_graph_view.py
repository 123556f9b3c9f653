"""What a graph's view does with messages from the browser."""

import pytest

from convnet_core.graphs.diagram import Box, Diagram
from pages.components.graph_view import view
from pages.components.graph_view.drawing import Drawing


@pytest.fixture
def drawing():
    boxes = [Box(str(number), "Relu", groups=("layer", f"layer.{number // 10}")) for number in range(40)]
    return Drawing(Diagram((*boxes, Box("out", "Output")), ()))


def receive(drawing, toggles, **event):
    chosen = []
    view._receive(event, drawing, toggles, chosen.append)
    return view._opened(drawing, toggles), chosen


def test_a_click_opens_a_fold_and_the_next_one_closes_it(drawing):
    toggles = {}
    assert view._opened(drawing, toggles) == {"layer"}
    assert receive(drawing, toggles, kind="fold", id="layer.2") == ({"layer", "layer.2"}, [])
    assert receive(drawing, toggles, kind="fold", id="layer.2") == ({"layer"}, [])


def test_all_folds_open_and_close(drawing):
    toggles = {}
    assert receive(drawing, toggles, kind="all")[0] == {"layer", *(f"layer.{number}" for number in range(4))}
    assert receive(drawing, toggles, kind="all")[0] == frozenset()


def test_a_match_in_a_closed_fold_is_chosen_and_revealed(drawing):
    assert receive(drawing, {}, kind="choose", id="25") == ({"layer"}, ["25"])
    assert receive(drawing, {}, kind="choose", id="25", reveal=True) == ({"layer", "layer.2"}, ["25"])
    assert receive(drawing, {}, kind="choose", id="") == ({"layer"}, [""])


@pytest.mark.parametrize("event", [{"kind": "fold", "id": "no"}, {"kind": "choose", "id": "no"}, {"kind": "no"}, {}])
def test_a_message_about_something_else_changes_nothing(drawing, event):
    assert receive(drawing, {}, **event) == ({"layer"}, [])


def test_a_closed_fold_has_the_first_color_of_its_boxes(drawing):
    colors = {"25": "#ff0000", "24": "#00ff00", "out": "#0000ff"}
    assert drawing.colors_of(colors, frozenset({"layer"})) == {"layer.2": "#ff0000", "out": "#0000ff"}


def test_a_view_has_the_numbers_of_nodes_in_words(drawing):
    words = view._words(drawing, frozenset())
    assert words["counts"] == {10: "10 nodes", 40: "40 nodes"}
    assert words["all"] == "Open all folds"
