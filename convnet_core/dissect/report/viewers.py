"""The errors of the nodes as files for Netron and Model Explorer.

Netron (9.3, `netron:attachment`) reads the file when you drop it onto the model, and finds nodes and values by name.
Model Explorer (0.1.34, node data) takes it as custom node data; its adapter for ONNX
(model-explorer-onnx) uses ONNX names as node ids, and the name of the ONNX graph.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from convnet_core.dissect.measurements import NodeError, NodeResult

THRESHOLDS = ((1e-6, "#ffffff"), (1e-5, "#ffe08a"), (1e-3, "#fdae61"), (3e38, "#d7301f"))
"""The color of errors up to each limit. With a gradient the largest error would be red, however small it is."""


def netron(nodes: Sequence[NodeResult]) -> dict[str, Any]:
    """A Netron attachment: metrics of each node (the largest of its outputs) and of each value."""
    metrics = []
    for name, outputs in _by_node(nodes).items():
        for runtime in dict.fromkeys(key for node in outputs for key in node.runtimes):
            errors = [node.runtimes[runtime] for node in outputs if runtime in node.runtimes]
            metrics += _metrics("node", name, runtime, errors)
    for node in nodes:
        for runtime, error in node.runtimes.items():
            metrics += _metrics("value", node.output, runtime, [error])
    return {"signature": "netron:attachment", "metrics": metrics}


def model_explorer(nodes: Sequence[NodeResult], runtime: str, graph: str) -> dict[str, Any]:
    """Model Explorer's node data for one runtime: the relative error of each node, the largest of its outputs."""
    results: dict[str, dict[str, Any]] = {}
    for name, outputs in _by_node(nodes).items():
        errors = [node.runtimes[runtime].whole.relative for node in outputs if runtime in node.runtimes]
        if errors:
            results[name] = _result(max(errors))
    return {
        graph: {
            "name": f"error of {runtime}, as a share of the range",
            "results": results,
            "thresholds": [{"value": limit, "bgColor": color} for limit, color in THRESHOLDS],
        }
    }


def _by_node(nodes: Iterable[NodeResult]) -> dict[str, list[NodeResult]]:
    outputs: dict[str, list[NodeResult]] = {}
    for node in nodes:
        outputs.setdefault(node.name, []).append(node)
    return outputs


def _metrics(kind: str, target: str, runtime: str, errors: Sequence[NodeError]) -> list[dict[str, Any]]:
    added = [error.own for error in errors if error.own is not None]
    values = {f"error of {runtime}": max(error.whole.relative for error in errors)}
    values |= {f"added by {runtime}": max(added)} if added else {}
    first = target.partition("\n")[0]  # Netron matches only the first line
    return [{"kind": kind, "target": first, "name": label, **_value(value)} for label, value in values.items()]


def _value(value: float) -> dict[str, Any]:
    """A metric's value; JSON has no infinity, which is the error of a NaN."""
    finite = math.isfinite(value)
    return {"value": float(value) if finite else str(value), "type": "float32" if finite else "string"}


def _result(error: float) -> dict[str, Any]:
    return {"value": float(error)} if math.isfinite(error) else {"value": str(error), "bgColor": THRESHOLDS[-1][1]}
