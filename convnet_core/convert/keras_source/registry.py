"""Which function writes which operator as Keras code, and what such a function is given."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from convnet_core.convert.keras_source import ops
from convnet_core.convert.keras_source.modules import path_of
from convnet_core.convert.keras_source.syntax import Call, Expression, LayerName, Literal, Ref, Statement
from convnet_core.convert.native.ir import Graph, Node
from convnet_core.tensors.arrays import Array

Path = tuple[str, ...]
"""The path of a PyTorch module, such as ("layer1", "0", "conv1")."""


@dataclass(frozen=True)
class Surroundings:
    """The graph around a node: who makes each tensor, and how often it is used."""

    graph: Graph
    producers: Mapping[str, Node]
    counts: Mapping[str, int]


@dataclass
class Context:
    """One node to write: what its handler may ask, and the code that it says.

    `path` is the PyTorch module around the node. `statements` collects the code, `weights` the arrays of each new
    layer, in the order of the layer's weights in Keras.
    """

    node: Node
    around: Surroundings
    path: Path
    statements: list[Statement] = field(default_factory=list)
    weights: dict[Path, list[Array]] = field(default_factory=dict)

    # -- what the node is ------------------------------------------------------------------------------

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute of the node."""
        return self.node.attributes.get(name, default)

    def input(self, index: int) -> str:
        """The tensor at an input; "" if it is omitted."""
        return self.node.inputs[index] if index < len(self.node.inputs) else ""

    def constant(self, index: int) -> Array | None:
        """The value of an input that is a constant."""
        return self.around.graph.constants.get(self.input(index))

    def shape(self, tensor: str) -> tuple[int | None, ...] | None:
        """The inferred shape of a tensor; None if its rank is unknown."""
        value = self.around.graph.constants.get(tensor)
        if value is not None:
            return tuple(value.shape)
        info = self.around.graph.infos.get(tensor)
        return info.shape if info else None

    def sole(self, tensor: str, *operators: str) -> Node | None:
        """The node that makes a tensor, if it is one of these operators and nothing else uses the tensor."""
        node = self.around.producers.get(tensor)
        return node if node and node.op in operators and self.around.counts.get(tensor) == 1 else None

    # -- what it becomes -------------------------------------------------------------------------------

    def x(self, index: int = 0) -> Expression:
        """An input: a number is written out, another constant becomes a weight."""
        value = self.constant(index)
        if value is None:
            return Ref(self.input(index))
        if value.size == 1 and value.ndim <= 1:
            return Literal(short(value.item()) if value.dtype.kind == "f" else value.item())
        return self.weight(index)

    def layer(self, kind: str, *args: Any, weights: Mapping[str, Array | None] | None = None, **options: Any) -> Call:
        """A layer, to be called with inputs. One with weights is named after its module.

        Give every option, also where it has Keras's default, which is not printed: calls of a class then differ in
        values alone.
        """
        arrays = [value for value in (weights or {}).values() if value is not None]
        keywords = tuple((name, _expression(value)) for name, value in options.items())
        if arrays:
            self.weights[self.path] = arrays
            keywords = (*keywords, ("name", LayerName.of(self.path)))
        return Call(f"layers.{kind}", tuple(map(_expression, args)), keywords)

    def weight(self, index: int, *, each: bool = False) -> Ref:
        """An input that is a constant, as a layer `Weight` that holds it; `each` repeats it for every sample."""
        name, graph = self.input(index), self.around.graph
        value = graph.constants[name]
        path = path_of(name.partition("|")[0])
        self.weights[path] = [value]
        call = Call("Weight", (Literal(tuple(value.shape)),), (("each", Literal(each)), ("name", LayerName.of(path))))
        others = [item for item in self.node.inputs if item and item not in graph.constants]
        x = Ref(graph.inputs[0].name if each or not others else others[0])
        return Ref(self.emit(Call(call, (x,)), f"{name}|weight of {self.node.outputs[0]}"))

    def emit(self, value: Expression, target: str = "") -> str:
        """Add a statement that sets `target`, by default the node's first output; returns the target."""
        target = target or self.node.outputs[0]
        self.statements.append(Statement((target,), value))
        return target

    def step(self, value: Expression, text: str) -> Ref:
        """Add a statement for a value on the way to the node's output; `text` tells it from the node's others."""
        return Ref(self.emit(value, f"{self.node.outputs[0]}|{text}"))

    def emit_all(self, value: Expression) -> None:
        """Add a statement that sets all outputs of the node."""
        self.statements.append(Statement(self.node.outputs, value))


def call(function: str, /, *args: Any, **keywords: Any) -> Call:
    """A call with expressions, or with Python's values."""
    return Call(function, tuple(map(_expression, args)), tuple((name, _expression(v)) for name, v in keywords.items()))


def _expression(value: Any) -> Expression:
    return value if isinstance(value, Expression) else Literal(value)


def short(value: float) -> float:
    """A float32 as the decimal number that it stands for: 1e-05 in place of 9.999999747378752e-06."""
    return float(f"{value:.7g}")


Write = Callable[[Context], None]

_HANDLERS: dict[tuple[str, str], Write] = {}


def writes(*operators: str, domain: str = "") -> Callable[[Write], Write]:
    """Register a function that writes these operators."""

    def register(function: Write) -> Write:
        _HANDLERS.update({(domain, operator): function for operator in operators})
        return function

    return register


def handler_of(node: Node) -> Write | None:
    """The function that writes a node; None if there is none."""
    for module in () if _HANDLERS else pkgutil.iter_modules(ops.__path__):
        importlib.import_module(f"{ops.__name__}.{module.name}")
    return _HANDLERS.get((node.domain, node.op))
