"""The errors of the nodes for the viewers that people use: Netron and Model Explorer.

Netron (9.3, `netron:attachment`) takes the file dropped onto the model; Model Explorer (0.1.34, node data) takes it as
custom node data. Both find a node by its name, Model Explorer also by the name of an output.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from convnet_core.dissect.examine import NodeFound

COLOURS = (("#ffffff", 0.0), ("#ffe08a", 0.5), ("#d7301f", 1.0))


def netron(nodes: Sequence[NodeFound]) -> dict[str, Any]:
    """A Netron attachment: metrics of each node."""
    metrics = []
    for node in nodes:
        for runtime, seen in node.runtimes.items():
            for label, value in ((f"error of {runtime}", seen.whole.relative), (f"added by {runtime}", seen.own)):
                if value is not None and math.isfinite(value):
                    metrics.append(
                        {"kind": "node", "target": node.name, "name": label, "value": float(value), "type": "float32"}
                    )
    return {"signature": "netron:attachment", "metrics": metrics}


def model_explorer(nodes: Sequence[NodeFound], runtime: str, graph: str) -> dict[str, Any]:
    """Model Explorer's node data for one runtime: the relative error of each node, coloured from white to red."""
    results = {
        node.output: {"value": float(node.runtimes[runtime].whole.relative)}
        for node in nodes
        if runtime in node.runtimes and math.isfinite(node.runtimes[runtime].whole.relative)
    }
    return {
        graph: {
            "name": f"error of {runtime}, as a part of the range",
            "results": results,
            "gradient": [{"stop": stop, "bgColor": colour} for colour, stop in COLOURS],
        }
    }
