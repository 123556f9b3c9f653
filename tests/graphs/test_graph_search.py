"""What a search in a model's graph finds."""

from onnx import helper

from tests.graphs.test_graphs import graph_of, model_of


def test_a_search_for_an_operation_finds_no_other_that_only_takes_what_it_made():
    nodes = [
        helper.make_node("Add", ["x", "x"], ["add_1"], name="node_add_1"),
        helper.make_node("Relu", ["add_1"], ["y"], name="node_relu"),
    ]
    made = graph_of(model_of(nodes, ["x"], ["y"]))
    assert [node.op for node in made.find("Add")] == ["Add"]
    assert [node.op for node in made.find("add_1")] == ["Add"]
