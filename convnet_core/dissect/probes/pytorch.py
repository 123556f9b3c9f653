"""Run the exported program in PyTorch, operator by operator: hooks on modules would miss functions."""

from __future__ import annotations

import re
from typing import Any

import onnx
import torch
from torch import Tensor, fx

from convnet_core.dissect.probes import torch_operators
from convnet_core.dissect.probes.base import Probe
from convnet_core.dissect.probes.parts import NodeRunner
from convnet_core.runtimes.specs import PYTORCH
from convnet_core.tensors.arrays import Feeds

_FX_NODE = "pkg.torch.onnx.fx_node"
"""Metadata in which PyTorch's exporter names the operator that an ONNX node comes from."""


class PyTorchProbe(Probe):
    """The program that an ONNX model was exported from.

    If an operator became several ONNX nodes, only the value of the last one is visible; the inner ones are recomputed.
    """

    name = PYTORCH.name

    def __init__(self, program: torch.export.ExportedProgram, model: onnx.ModelProto) -> None:
        self._parts = NodeRunner(model, torch_operators.run_node)
        self._graph = program.graph_module
        self._weights, self._inputs = _placeholders(program)
        self._names = _names(program, model)
        self._onnx = {name: onnx_name for onnx_name, name in self._names.items()}
        self._nodes = {node.name: node for node in self._graph.graph.nodes}
        self._ports = [value.name for value in model.graph.input]

    def values(self, feeds: Feeds) -> Feeds:
        values_by_name = self._bind(feeds)
        results: Feeds = {}
        with torch.inference_mode():
            for node in self._graph.graph.nodes:
                if node.op == "call_function":
                    values_by_name[node.name] = self._call(node, values_by_name)
        for onnx_name, name in self._names.items():
            if isinstance(value := values_by_name.get(name), Tensor):
                results[onnx_name] = value.numpy()
        visible = {**feeds, **results}
        values = self._parts.complete(visible)
        self.remade = frozenset(values.keys() - visible.keys())
        return values

    def alone(self, node: str, inputs: Feeds) -> Feeds | None:
        """Preceding operators without an ONNX tensor of their own run with it; a part of an operator runs in PyTorch's
        arithmetic.
        """
        name = self._names.get(node)
        if name is None:
            return self._parts.alone(node, inputs)
        values_by_name = self._bind(inputs)
        with torch.inference_mode():
            value = self._evaluate(self._nodes[name], values_by_name, inputs, target=True)
        return {node: value.numpy()} if isinstance(value, Tensor) else None

    def _evaluate(self, node: fx.Node, values_by_name: dict[str, Any], inputs: Feeds, target: bool = False) -> Any:
        """A node's value, computed from `inputs`; the target node itself always runs."""
        if node.name in values_by_name:
            return values_by_name[node.name]
        name = self._onnx.get(node.name)
        if not target and name in inputs:
            values_by_name[node.name] = torch.from_numpy(inputs[name].copy())
        else:
            for before in node.all_input_nodes:
                self._evaluate(before, values_by_name, inputs)
            values_by_name[node.name] = self._call(node, values_by_name)
        return values_by_name[node.name]

    def _call(self, node: fx.Node, values_by_name: dict[str, Any]) -> Any:
        arguments, keywords = fx.node.map_arg((node.args, node.kwargs), lambda item: values_by_name[item.name])
        assert callable(node.target)
        return node.target(*arguments, **keywords)

    def _bind(self, feeds: Feeds) -> dict[str, Any]:
        """Weights and inputs by the names of their placeholders."""
        inputs = {name: torch.from_numpy(feeds[port]) for name, port in zip(self._inputs, self._ports, strict=True)}
        return {**self._weights, **inputs}


def _placeholders(program: torch.export.ExportedProgram) -> tuple[dict[str, Any], list[str]]:
    """The program's weights and constants by placeholder name, and the names of its inputs."""
    weights: dict[str, Any] = {}
    inputs = []
    for spec in program.graph_signature.input_specs:
        if spec.target is None:
            inputs.append(spec.arg.name)
        else:
            value = program.state_dict.get(spec.target, program.constants.get(spec.target))
            weights[spec.arg.name] = value.detach() if isinstance(value, Tensor) else value
    return weights, inputs


def _names(program: torch.export.ExportedProgram, model: onnx.ModelProto) -> dict[str, str]:
    """PyTorch's name of each ONNX tensor that it has. The exporter keeps names, except those of outputs."""
    operators = {node.name for node in program.graph_module.graph.nodes if node.op == "call_function"}
    outputs = {value.name for value in model.graph.output}
    results = {}
    for node in model.graph.node:
        fx_node = next((item.value for item in node.metadata_props if item.key == _FX_NODE), "")
        label = re.match(r"%(\w+) :", fx_node)
        for name in node.output:
            if name in operators:
                results[name] = name
            elif name in outputs and label is not None and label[1] in operators and len(node.output) == 1:
                results[name] = label[1]
    return results
