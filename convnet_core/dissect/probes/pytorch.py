"""PyTorch's own run of the exported program, operator by operator: hooks on modules would miss functions."""

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

_MADE_OF = "pkg.torch.onnx.fx_node"
"""Where PyTorch's exporter notes which of its operators an ONNX node was made of."""


class PyTorchProbe(Probe):
    """The program that an ONNX model was exported from.

    An operator that became several ONNX nodes is seen where the last of them ends; those inside are remade.
    """

    name = PYTORCH.name

    def __init__(self, program: torch.export.ExportedProgram, model: onnx.ModelProto) -> None:
        self._parts = NodeRunner(model, torch_operators.run_node)
        self._graph = program.graph_module
        self._given, self._inputs = _placeholders(program)
        self._names = _names(program, model)
        self._onnx = {name: onnx_name for onnx_name, name in self._names.items()}
        self._nodes = {node.name: node for node in self._graph.graph.nodes}
        self._ports = [value.name for value in model.graph.input]

    def values(self, feeds: Feeds) -> Feeds:
        known = self._bound(feeds)
        found: Feeds = {}
        with torch.inference_mode():
            for node in self._graph.graph.nodes:
                if node.op == "call_function":
                    known[node.name] = self._call(node, known)
        for onnx_name, name in self._names.items():
            if isinstance(value := known.get(name), Tensor):
                found[onnx_name] = value.numpy()
        shown = {**feeds, **found}
        whole = self._parts.completed(shown)
        self.remade = frozenset(whole.keys() - shown.keys())
        return whole

    def alone(self, node: str, inputs: Feeds) -> Feeds | None:
        """Operators before it that are no ONNX tensors of their own are run with it; a part of an operator is run in
        PyTorch's arithmetic.
        """
        name = self._names.get(node)
        if name is None:
            return self._parts.alone(node, inputs)
        known = self._bound(inputs)
        with torch.inference_mode():
            value = self._back(self._nodes[name], known, inputs, target=True)
        return {node: value.numpy()} if isinstance(value, Tensor) else None

    def _back(self, node: fx.Node, known: dict[str, Any], inputs: Feeds, target: bool = False) -> Any:
        """A node's value, from those that are given; the node itself is run when it is the target."""
        if node.name in known:
            return known[node.name]
        name = self._onnx.get(node.name)
        if not target and name in inputs:
            known[node.name] = torch.from_numpy(inputs[name].copy())
        else:
            for before in node.all_input_nodes:
                self._back(before, known, inputs)
            known[node.name] = self._call(node, known)
        return known[node.name]

    def _call(self, node: fx.Node, known: dict[str, Any]) -> Any:
        arguments, keywords = fx.node.map_arg((node.args, node.kwargs), lambda item: known[item.name])
        assert callable(node.target)
        return node.target(*arguments, **keywords)

    def _bound(self, feeds: Feeds) -> dict[str, Any]:
        """Weights, and the inputs in their order."""
        given = {name: torch.from_numpy(feeds[port]) for name, port in zip(self._inputs, self._ports, strict=True)}
        return {**self._given, **given}


def _placeholders(program: torch.export.ExportedProgram) -> tuple[dict[str, Any], list[str]]:
    """What the program brings along, by the name of its placeholder; and the names of its inputs."""
    given: dict[str, Any] = {}
    inputs = []
    for spec in program.graph_signature.input_specs:
        if spec.target is None:
            inputs.append(spec.arg.name)
        else:
            kept = program.state_dict.get(spec.target, program.constants.get(spec.target))
            given[spec.arg.name] = kept.detach() if isinstance(kept, Tensor) else kept
    return given, inputs


def _names(program: torch.export.ExportedProgram, model: onnx.ModelProto) -> dict[str, str]:
    """PyTorch's name of each ONNX tensor that is one of its own. The exporter keeps the names, but for outputs."""
    own = {node.name for node in program.graph_module.graph.nodes if node.op == "call_function"}
    outputs = {value.name for value in model.graph.output}
    found = {}
    for node in model.graph.node:
        made_of = next((item.value for item in node.metadata_props if item.key == _MADE_OF), "")
        label = re.match(r"%(\w+) :", made_of)
        for name in node.output:
            if name in own:
                found[name] = name
            elif name in outputs and label is not None and label[1] in own and len(node.output) == 1:
                found[name] = label[1]
    return found
