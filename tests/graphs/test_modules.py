"""The modules that the nodes of a graph belong to."""

import pytest
from onnx import helper

from convnet_core.graphs.boxes import diagram_of
from convnet_core.graphs.folds import fold
from tests.graphs.models import graph_of, model_of


def with_modules(node, scopes, classes):
    for key, value in (("name_scopes", scopes), ("class_hierarchy", classes)):
        node.metadata_props.add(key=f"pkg.torch.onnx.{key}", value=value)
    return node


def test_the_exporter_of_pytorch_leaves_the_modules_of_each_node():
    node = with_modules(
        helper.make_node("Relu", ["x"], ["y"]),
        "['', 'layer1', 'layer1.0', 'relu']",
        "['resnet.ResNet', 'torch.nn.Sequential', 'resnet.BasicBlock', 'aten.relu.default']",
    )
    graph = graph_of(model_of([node], ["x"], ["y"]))
    assert graph.by_id["Relu"].modules == ("layer1", "layer1.0")
    assert graph.modules == {"layer1": "Sequential", "layer1.0": "BasicBlock"}


def test_without_metadata_the_modules_are_the_prefixes_of_names():
    nodes = [
        helper.make_node("Relu", ["x"], ["a"], name="/layer1/layer1.0/Relu"),
        helper.make_node("Abs", ["a"], ["y"]),
    ]
    graph = graph_of(model_of(nodes, ["x"], ["y"]))
    assert [node.modules for node in graph.nodes if node.kind == "op"] == [("layer1", "layer1/layer1.0"), ()]


def test_a_name_of_nothing_but_slashes_is_no_endless_stack_of_modules():
    names = [f"/{'m/' * 5000}{name}" for name in ("Relu", "Abs")]
    nodes = [
        helper.make_node("Relu", ["x"], ["a"], name=names[0]),
        helper.make_node("Abs", ["a"], ["y"], name=names[1]),
    ]
    graph = graph_of(model_of(nodes, ["x"], ["y"]))
    assert len(graph.modules) == 32
    (module,) = fold(diagram_of(graph)).folds
    assert [box.title for box in module.boxes] == ["Relu", "Abs"]


@pytest.mark.parametrize("text", ["", "[", "7", "['a', 7]", "__import__('os')", "[" * 5000])
def test_damaged_metadata_is_no_module(text):
    node = with_modules(helper.make_node("Relu", ["x"], ["y"]), text, text)
    assert graph_of(model_of([node], ["x"], ["y"])).by_id["Relu"].modules == ()


# -- boxes -----------------------------------------------------------------------------------------
