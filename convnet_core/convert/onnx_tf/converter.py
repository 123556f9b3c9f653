"""Convert with onnx-tf: an ONNX graph as a TensorFlow function with a name scope per node."""

from __future__ import annotations

from typing import Any

import onnx
import onnx.defs

from convnet_core.common.formatting import first_words
from convnet_core.common.tensorflow_import import import_tensorflow
from convnet_core.convert.name_scopes import node_scopes
from convnet_core.convert.onnx_tf.compat import import_onnx_tf
from convnet_core.convert.tensor_location import TensorLocation
from convnet_core.errors import ConversionError, UnsupportedNode, UnsupportedOpError, one_line
from convnet_core.language import _
from convnet_core.onnx_files.operators import operator_version, opsets_of


def convert(model: onnx.ModelProto) -> GraphFunction:
    """Turn a model into a function of tensors.

    Raises UnsupportedOpError, which names every node that onnx-tf does not support.
    """
    module = import_onnx_tf()
    backend = module.TensorflowBackend
    _raise_if_unsupported(_unsupported_nodes(model, backend))
    scopes = node_scopes(model)
    renamed = onnx.ModelProto()
    renamed.CopyFrom(model)
    for node, scope in zip(renamed.graph.node, scopes, strict=True):
        node.name = scope  # onnx-tf uses node names as scopes unchanged, and TensorFlow rejects some
    try:
        graph = backend.prepare(renamed, logging_level="ERROR").tf_module
    except Exception as error:  # onnx-tf raises many kinds
        raise ConversionError(
            _("onnx-tf cannot prepare the model: {reason}", reason=f"{type(error).__name__}: {one_line(error)}")
        ) from error
    return GraphFunction(model, renamed, graph, backend)


class GraphFunction:
    """The graph as a function from tensors by ONNX input name to tensors by ONNX output name, to be traced."""

    def __init__(self, model: onnx.ModelProto, renamed: onnx.ModelProto, graph: Any, backend: Any) -> None:
        self._model, self._renamed, self._graph, self._backend = model, renamed, graph, backend
        self._constants = {**dict(graph.initializer_dict), **graph.handler_variables}
        self.layouts: dict[str, tuple[int, ...]] = {}
        self.locations: dict[str, TensorLocation] = {}
        """Both empty, because onnx-tf keeps ONNX's order of dimensions."""
        self.values: dict[str, Any] = {}
        """Values from the last trace, by ONNX name."""

    def __call__(self, feeds: dict[str, Any]) -> dict[str, Any]:
        from onnx_tf.pb_wrapper import OnnxNode

        tf = import_tensorflow()
        self.values = tensors = {**feeds, **self._constants}
        for node, plain in zip(self._model.graph.node, self._renamed.graph.node, strict=True):
            with tf.name_scope(plain.name):
                try:
                    results = self._backend._onnx_node_to_tensorflow_op(
                        OnnxNode(plain), tensors, self._graph.handlers, opset=self._graph.opset, strict=True
                    )
                except Exception as error:
                    version = operator_version(node, opsets_of(self._model)) or 0
                    reason = f"{type(error).__name__}: {one_line(error)}"
                    raise UnsupportedOpError(
                        _(
                            "onnx-tf fails at node {node!r} ({op}): {reason}",
                            node=node.name,
                            op=f"{node.op_type}-{version}",
                            reason=reason,
                        ),
                        nodes=[UnsupportedNode(node.op_type, version, node.name, reason)],
                    ) from error
            tensors.update(zip(node.output, results, strict=False))  # onnx-tf omits optional outputs
        return {output.name: tensors[output.name] for output in self._model.graph.output}


def check(model: onnx.ModelProto) -> list[UnsupportedNode]:
    """List every node whose operator version onnx-tf does not support. Raises MissingError if it is not installed.

    Conversion may still fail, because attributes and dtypes are not checked.
    """
    return _unsupported_nodes(model, import_onnx_tf().TensorflowBackend)


def _unsupported_nodes(model: onnx.ModelProto, backend: Any) -> list[UnsupportedNode]:
    opsets = opsets_of(model)
    handlers = backend._get_handlers(model.opset_import)
    unsupported = []
    for node in model.graph.node:
        handler = handlers.get(node.domain, {}).get(node.op_type)
        if handler is None or not hasattr(handler, f"version_{handler.SINCE_VERSION}"):
            unsupported.append(UnsupportedNode(node.op_type, operator_version(node, opsets) or 0, node.name))
    return unsupported


def _raise_if_unsupported(nodes: list[UnsupportedNode]) -> None:
    if nodes:
        raise UnsupportedOpError(
            _("onnx-tf 1.10 does not support {nodes}", nodes=first_words([str(node) for node in nodes], 5)),
            hint=_("export with opset 18 and only operators that onnx-tf supports"),
            nodes=nodes,
        )
