"""Searching a model's graph."""

from onnx import helper

from tests.graphs.test_graphs import graph_of, model_of


def test_a_search_for_an_operator_skips_nodes_that_only_read_its_output():
    nodes = [
        helper.make_node("Add", ["x", "x"], ["add_1"], name="node_add_1"),
        helper.make_node("Relu", ["add_1"], ["y"], name="node_relu"),
    ]
    graph = graph_of(model_of(nodes, ["x"], ["y"]))
    assert [node.op for node in graph.find("Add")] == ["Add"]
    assert [node.op for node in graph.find("add_1")] == ["Add"]
