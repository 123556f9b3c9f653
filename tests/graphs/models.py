"""Small models for the tests of graphs."""

import json

from onnx import TensorProto, helper

from convnet_core.graphs import from_onnx
from convnet_core.graphs.graph import Graph


def model_of(nodes, inputs=(), outputs=(), weights=(), **options):
    """A model; an input or output passed as a name is float32 without a shape."""
    values = [
        [
            helper.make_tensor_value_info(item, TensorProto.FLOAT, None) if isinstance(item, str) else item
            for item in side
        ]
        for side in (inputs, outputs)
    ]
    graph = helper.make_graph(list(nodes), "test", *values, list(weights))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], **options)


def graph_of(model):
    """The model's graph, after a round trip through JSON."""
    graph = from_onnx.read(model)
    text = json.dumps(graph.to_json(), allow_nan=False)
    assert Graph.from_json(json.loads(text)) == graph
    return graph
