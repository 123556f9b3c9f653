"""Walk a graph inside a `tf.function`: each node's handler, in the node's name scope."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from convnet_core.convert.native.helpers import float16_arithmetic
from convnet_core.convert.native.ir import Graph, Node
from convnet_core.convert.native.lazy_tensorflow import tf
from convnet_core.convert.native.registry import EXTRA_ARGUMENTS, Handler, handler_of
from convnet_core.errors import ConversionError, ConvNetError, one_line

Values = dict[str, Any]
"""By the name of an ONNX tensor: a TensorFlow tensor or variable, or an array whose value is known now."""

_MOST_FOLDED = 2**26
"""Values of a constant that is computed now; what is larger would make the artefact large instead of small."""


class GraphFunction:
    """The graph as a function of tensors, to be traced.

    Weights are `tf.Variable`s, made once, under the names that they have in ONNX, so that a SavedModel can be
    fine-tuned; what decides shapes, and what can be computed from constants alone, is computed while tracing.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self.layouts = graph.layouts
        self.places = graph.places
        self.values: Values = {}
        """What the last trace has made, by the names of the graph after its passes."""
        self.variables: dict[str, Any] = {}
        self._sources: dict[str, Any] = {}
        self._learned: set[str] = set()
        """The constants of the model, and what is computed from them alone."""

    def __call__(self, feeds: Values) -> Values:
        """Tensors by ONNX input name in, by ONNX output name out. Raises ConversionError with the node's name."""
        self.values = values = self._run(self._graph, feeds)
        return {name: _result(values[name]) for name in self._graph.outputs}

    def _run(self, graph: Graph, feeds: Mapping[str, Any]) -> Values:
        values: Values = {**graph.constants, **feeds}
        self._learned.update(graph.constants)
        for node in graph.nodes:
            with tf.name_scope(f"{node.scope}/"):  # with the slash the same scope again, however many nodes share it
                results = self._node(node, graph, values)
            values.update((name, value) for name, value in zip(node.outputs, results, strict=False) if name)
        return values

    def _node(self, node: Node, graph: Graph, values: Values) -> tuple[Any, ...]:
        handler = handler_of(node)
        if handler is None:
            raise ConversionError(f"no handler for {node.op}-{node.version} (node {node.name!r})")
        given = [values[name] if name else None for name in node.inputs]
        keywords = {**self._asked(handler, node, graph, values), **node.attributes}  # an attribute may be called dtype
        try:
            if not node.attributes.keys() & {"body", "then_branch", "else_branch"} and _is_foldable(handler, given):
                if self._learned.intersection(node.inputs):
                    self._learned.update(node.outputs)
                return _fold(handler, node, graph, given, keywords)
            operands = self._operands(handler, node, given)
            return _as_tuple(float16_arithmetic.call(handler.function, node, graph, operands, keywords))
        except ConvNetError as error:
            raise ConversionError(f"{node.op}-{node.version} (node {node.name!r}): {error}", error.hint) from error
        except Exception as error:  # TensorFlow raises many kinds
            raise ConversionError(f"{node.op}-{node.version} (node {node.name!r}): {one_line(error)}") from error

    def _asked(self, handler: Handler, node: Node, graph: Graph, values: Values) -> dict[str, Any]:
        """What the handler wants to know beside inputs and attributes."""
        info = graph.infos.get(node.outputs[0])
        offers = {
            "version": node.version,
            "outputs": len(node.outputs),
            "dtype": info.dtype if info else None,
            "run": self._runner(values),
        }
        return {name: offers[name] for name in EXTRA_ARGUMENTS & handler.keywords}

    def _runner(self, values: Values) -> Callable[[Graph, Mapping[str, Any]], list[Any]]:
        """Runs a subgraph of the node: inputs by name in, its outputs in order out. It sees the tensors around it."""

        def run(graph: Graph, feeds: Mapping[str, Any]) -> list[Any]:
            inner = self._run(graph, {**values, **graph.constants, **feeds})
            return [inner[name] for name in graph.outputs]

        return run

    def _operands(self, handler: Handler, node: Node, given: list[Any]) -> list[Any]:
        """The inputs, weights among them as variables."""
        names = handler.names
        return [
            self._variable(name, value)
            if name in self._learned
            and _is_weight(value)
            and not (place < len(names) and names[place] in handler.static)
            else value
            for place, (name, value) in enumerate(zip(node.inputs, given, strict=True))
        ]

    def _variable(self, name: str, value: Any) -> Any:
        if name not in self.variables:
            self._sources[name] = value
            with tf.init_scope():
                self.variables[name] = tf.Variable(value, name=variable_name(name))
        source = self._sources[name]
        if source is value or np.array_equal(source, value):
            return self.variables[name]
        return tf.constant(value)  # a name in a subgraph, whose value is another in each step, or in another subgraph


def _result(value: Any) -> Any:
    """A tensor; a list of them where the model gives a sequence, None where it gives no value."""
    if isinstance(value, list):
        return [_result(item) for item in value]
    return None if value is None else tf.convert_to_tensor(value)


def _is_weight(value: Any) -> bool:
    """Whether a known value is one that training would change: float, and more than one number."""
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fV" or value.size <= 1:
        return False
    return bool(tf.as_dtype(value.dtype).is_floating)


def variable_name(name: str) -> str:
    """The name of the variable that holds a weight: its own, as far as TensorFlow allows."""
    return "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in name).lstrip("._-") or "weight"


def _is_foldable(handler: Handler, given: list[Any]) -> bool:
    """Whether a node gives the same results each time and its inputs are known now."""
    if handler.random or not all(value is None or isinstance(value, np.ndarray) for value in given):
        return False
    return bool(sum(value.size for value in given if value is not None) <= _MOST_FOLDED)


def _fold(handler: Handler, node: Node, graph: Graph, given: list[Any], keywords: dict[str, Any]) -> tuple[Any, ...]:
    """The results as arrays, computed now."""
    with tf.init_scope():
        results = _as_tuple(float16_arithmetic.call(handler.function, node, graph, given, keywords))
        return tuple(np.asarray(value) if isinstance(value, tf.Tensor) else value for value in results)


def _as_tuple(results: Any) -> tuple[Any, ...]:
    return results if isinstance(results, tuple) else (results,)
