"""Run a graph inside a `tf.function`: call each node's handler in the node's name scope."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from convnet_core.convert.native.helpers import float16_arithmetic
from convnet_core.convert.native.ir import Graph, Node
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.registry import EXTRA_ARGUMENTS, Handler, handler_of
from convnet_core.errors import ConversionError, ConvNetError, UnsupportedNode, one_line
from convnet_core.language import _

Values = dict[str, Any]
"""By ONNX tensor name: a TensorFlow tensor or variable, or an array if the value is already known."""

_FOLD_LIMIT = 2**26
"""Most elements that a node's inputs may have for constant folding; larger results would bloat the artifact."""


class GraphFunction:
    """The graph as a function of tensors, to be traced.

    Weights become `tf.Variable`s, created once under their ONNX names, so that the SavedModel can be fine-tuned.
    Shapes and constant expressions are computed during tracing.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self.layouts = graph.layouts
        self.locations = graph.locations
        self.values: Values = {}
        """Values from the last trace, by their names in the graph after all passes."""
        self.variables: dict[str, Any] = {}
        self._sources: dict[str, Any] = {}
        self._learned: set[str] = set()
        """Names of the model's constants and of values computed only from them."""

    def __call__(self, feeds: Values) -> Values:
        """Map tensors by ONNX input name to tensors by ONNX output name. A ConversionError names the failing node."""
        self.values = values = self._run(self._graph, feeds)
        return {name: _result(values[name]) for name in self._graph.outputs}

    def _run(self, graph: Graph, feeds: Mapping[str, Any]) -> Values:
        values: Values = {**graph.constants, **feeds}
        self._learned.update(graph.constants)
        for node in graph.nodes:
            with tf.name_scope(f"{node.scope}/"):  # the slash reopens the same scope, even when several nodes share it
                results = self._node(node, graph, values)
            values.update((name, value) for name, value in zip(node.outputs, results, strict=False) if name)
        return values

    def _node(self, node: Node, graph: Graph, values: Values) -> tuple[Any, ...]:
        handler = handler_of(node)
        if handler is None:
            raise ConversionError(_("no handler for {node}", node=_unsupported(node)))
        inputs = [values[name] if name else None for name in node.inputs]
        extra = self._extra_arguments(handler, node, graph, values)
        keywords = {**extra, **node.attributes}  # an attribute may also be called dtype
        try:
            if not node.attributes.keys() & {"body", "then_branch", "else_branch"} and _is_foldable(handler, inputs):
                if self._learned.intersection(node.inputs):
                    self._learned.update(node.outputs)
                return _fold(handler, node, graph, inputs, keywords)
            operands = self._operands(handler, node, inputs)
            return _as_tuple(float16_arithmetic.call(handler.function, node, graph, operands, keywords))
        except ConvNetError as error:
            raise ConversionError(str(_unsupported(node, str(error))), error.hint) from error
        except Exception as error:  # TensorFlow raises many kinds
            raise ConversionError(str(_unsupported(node, one_line(error)))) from error

    def _extra_arguments(self, handler: Handler, node: Node, graph: Graph, values: Values) -> dict[str, Any]:
        """The values for the extra keyword parameters that the handler declares."""
        info = graph.infos.get(node.outputs[0])
        available = {
            "version": node.version,
            "outputs": len(node.outputs),
            "dtype": info.dtype if info else None,
            "run": self._runner(values),
        }
        return {name: available[name] for name in EXTRA_ARGUMENTS & handler.keywords}

    def _runner(self, values: Values) -> Callable[[Graph, Mapping[str, Any]], list[Any]]:
        """A function that runs a subgraph: from inputs by name to a list of outputs. It can use all outer tensors."""

        def run(graph: Graph, feeds: Mapping[str, Any]) -> list[Any]:
            inner = self._run(graph, {**values, **graph.constants, **feeds})
            return [inner[name] for name in graph.outputs]

        return run

    def _operands(self, handler: Handler, node: Node, inputs: list[Any]) -> list[Any]:
        """The inputs, with weights as variables."""
        names = handler.input_names
        return [
            self._variable(name, value)
            if name in self._learned
            and _is_weight(value)
            and not (index < len(names) and names[index] in handler.static)
            else value
            for index, (name, value) in enumerate(zip(node.inputs, inputs, strict=True))
        ]

    def _variable(self, name: str, value: Any) -> Any:
        if name not in self.variables:
            self._sources[name] = value
            with tf.init_scope():
                self.variables[name] = tf.Variable(value, name=variable_name(name))
        source = self._sources[name]
        if source is value or np.array_equal(source, value):
            return self.variables[name]
        return tf.constant(value)  # a subgraph name whose value differs between steps or subgraphs


def _result(value: Any) -> Any:
    """A tensor; a list for a sequence, None for an empty optional."""
    if isinstance(value, list):
        return [_result(item) for item in value]
    return None if value is None else tf.convert_to_tensor(value)


def _is_weight(value: Any) -> bool:
    """Whether a value is a trainable weight: a float array of more than one element."""
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fV" or value.size <= 1:
        return False
    return bool(tf.as_dtype(value.dtype).is_floating)


def _unsupported(node: Node, reason: str = "") -> UnsupportedNode:
    return UnsupportedNode(node.op, node.version, node.name, reason)


def variable_name(name: str) -> str:
    """The variable name for a weight: its ONNX name, with characters replaced that TensorFlow does not allow."""
    return "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in name).lstrip("._-") or "weight"


def _is_foldable(handler: Handler, inputs: list[Any]) -> bool:
    """Whether a node's inputs are known and small enough, and it is not random."""
    if handler.random or not all(value is None or isinstance(value, np.ndarray) for value in inputs):
        return False
    return bool(sum(value.size for value in inputs if value is not None) <= _FOLD_LIMIT)


def _fold(handler: Handler, node: Node, graph: Graph, inputs: list[Any], keywords: dict[str, Any]) -> tuple[Any, ...]:
    """Compute a node's results as arrays."""
    with tf.init_scope():
        results = _as_tuple(float16_arithmetic.call(handler.function, node, graph, inputs, keywords))
        return tuple(np.asarray(value) if isinstance(value, tf.Tensor) else value for value in results)


def _as_tuple(results: Any) -> tuple[Any, ...]:
    return results if isinstance(results, tuple) else (results,)
