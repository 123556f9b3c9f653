"""ONNX Runtime with every tensor exposed, and its nodes one at a time: the reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx.helper
import onnxruntime

from convnet_core.dissect.probes.base import Probe
from convnet_core.errors import InputsError, ModelError, one_line
from convnet_core.language import _
from convnet_core.runtimes.specs import ONNX_RUNTIME
from convnet_core.tensors.arrays import Array, Feeds


class OnnxRuntimeProbe(Probe):
    """A loaded ONNX model. Nodes with subgraphs are not run alone. Raises ModelError."""

    name = ONNX_RUNTIME.name

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model
        self._weights = {tensor.name: tensor for tensor in model.graph.initializer}
        self._nodes = {node.output[0]: node for node in model.graph.node if node.output}
        self._makers = {name: node.output[0] for node in model.graph.node for name in node.output if name}
        self._sessions: dict[str, onnxruntime.InferenceSession] = {}  # of single nodes
        self._session = _open_session(expose_outputs(model))
        self._names = [output.name for output in self._session.get_outputs()]
        self._inputs = {value.name for value in self._session.get_inputs()}

    def values(self, feeds: Feeds) -> Feeds:
        inputs = {name: array for name, array in feeds.items() if name in self._inputs}
        outputs = zip(self._names, _run(self._session, self._names, inputs), strict=True)
        return {**inputs, **{name: value for name, value in outputs if isinstance(value, np.ndarray)}}

    def alone(self, node: str, inputs: Feeds) -> Feeds | None:
        """Weights that are not among the inputs come from the model; sequence outputs are left out."""
        onnx_node = self._nodes.get(node)
        if onnx_node is None or any(item.HasField("g") or item.graphs for item in onnx_node.attribute):
            return None
        input_names = [name for name in dict.fromkeys(onnx_node.input) if name and name not in self._weights]
        if not all(isinstance(inputs.get(name), np.ndarray) for name in input_names):
            return None
        if node not in self._sessions:
            self._sessions[node] = _open_session(self._model_of(onnx_node, inputs, input_names))
        session = self._sessions[node]
        output_names = [output.name for output in session.get_outputs()]
        outputs = _run(session, output_names, {name: inputs[name] for name in input_names})
        values = zip(output_names, outputs, strict=True)
        return {name: value for name, value in values if isinstance(value, np.ndarray)}

    def maker_of(self, tensor: str) -> str:
        """The first output of the node that computes a tensor."""
        return str(self._makers[tensor])

    def inputs_of(self, tensor: str) -> list[str] | None:
        """The inputs, without weights, of the node that computes a tensor; None if no node does."""
        if tensor not in self._makers:
            return None
        node = self._nodes[self._makers[tensor]]
        return [name for name in dict.fromkeys(node.input) if name and name not in self._weights]

    def _model_of(self, node: onnx.NodeProto, inputs: Feeds, input_names: list[str]) -> onnx.ModelProto:
        """A model of a single node."""
        ports = [_value_info(name, inputs[name]) for name in input_names]
        outputs = [onnx.helper.make_empty_tensor_value_info(name) for name in node.output if name]
        weights = [self._weights[name] for name in dict.fromkeys(node.input) if name in self._weights]
        graph = onnx.helper.make_graph([node], "alone", ports, outputs, weights)
        return onnx.helper.make_model(
            graph, opset_imports=list(self._model.opset_import), ir_version=self._model.ir_version
        )


def expose_outputs(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with the outputs of all nodes as outputs."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    outputs = {value.name for value in model.graph.output}
    for node in model.graph.node:
        for name in node.output:
            if name and name not in outputs:
                result.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    return result


def _value_info(name: str, array: Array) -> onnx.ValueInfoProto:
    dtype = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
    return onnx.helper.make_tensor_value_info(name, dtype, [None] * array.ndim)


def _run(session: onnxruntime.InferenceSession, names: list[str], feeds: Feeds) -> list[Any]:
    try:
        return list(session.run(names, feeds))
    except Exception as error:  # onnxruntime.capi has its own error types
        raise InputsError(one_line(error)) from error


def _open_session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    # Compute exactly what the file says.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime.capi has its own error types
        raise ModelError(_("ONNX Runtime cannot open the model's inside: {reason}", reason=one_line(error))) from error
