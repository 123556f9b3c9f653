"""The files for other viewers: Netron and Model Explorer."""

import numpy as np

from convnet_core.dissect.difference import difference
from convnet_core.dissect.measurements import NodeError, NodeResult
from convnet_core.dissect.report import viewers


def node_result(name, output, *errors):
    exact = NodeError(difference(np.float32([0, 1]), np.float32([0, 1])), None, 0.0, False, False)
    node = NodeResult(name, "Split", output, (0.0, 1.0), 1e-7)
    for place, error in enumerate(errors):
        whole = difference(np.float32([error, 1]), np.float32([0, 1]))
        node.runtimes[f"r{place}"] = NodeError(whole, exact.own, 0.0, False, False)
    return node


def test_a_node_with_several_outputs_shows_its_largest_error():
    nodes = [node_result("split", "p", 0.5), node_result("split", "q", 0.25), node_result("nan\nname", "s", np.nan)]
    metrics = {(item["kind"], item["target"]): item["value"] for item in viewers.netron(nodes)["metrics"]}
    assert metrics == {
        ("node", "split"): 0.5, ("node", "nan"): "inf",
        ("value", "p"): 0.5, ("value", "q"): 0.25, ("value", "s"): "inf",
    }  # fmt: skip
    graph = viewers.model_explorer(nodes, "r0", "main")["main"]
    assert graph["results"]["split"] == {"value": 0.5}
    assert graph["results"]["nan\nname"] == {"value": "inf", "bgColor": "#d7301f"}
    assert [item["value"] for item in graph["thresholds"]] == sorted(item["value"] for item in graph["thresholds"])
