"""Which function converts which ONNX operator. Light: TensorFlow is imported when a handler runs."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from convnet_core.convert.native import ops
from convnet_core.convert.native.ir import Graph, Node
from convnet_core.convert.native.limits import limit
from convnet_core.errors import UnsupportedNode

Function = Callable[..., Any]


@dataclass(frozen=True)
class Handler:
    """A function that makes TensorFlow ops of one ONNX operator.

    It takes the node's inputs by position (None where an optional one is left out) and its attributes by keyword under
    ONNX's names, and gives one value, or a tuple of them. Parameters without a default are required. Besides, it is
    given what it names: `version` (of the operator), `outputs` (how many are asked for), `dtype` (ONNX's for the first
    output, or None), `run` (runs a subgraph). `static` names inputs that must not become variables, because their
    values decide shapes or the choice of ops. A `random` one draws numbers, so it is never computed while converting:
    that would give the same numbers in each run.
    """

    function: Function
    versions: tuple[int, ...]
    static: frozenset[str]
    dtypes: frozenset[str] | None
    random: bool
    parameters: tuple[inspect.Parameter, ...]

    @property
    def keywords(self) -> set[str]:
        """The attributes, and the other things asked for, by name."""
        return {item.name for item in self.parameters if item.kind is inspect.Parameter.KEYWORD_ONLY}

    @property
    def any_attribute(self) -> bool:
        """Whether it takes whatever attributes there are, as `**` of a name."""
        return any(item.kind is inspect.Parameter.VAR_KEYWORD for item in self.parameters)

    @property
    def any_number(self) -> bool:
        """Whether it takes any number of inputs."""
        return any(item.kind is inspect.Parameter.VAR_POSITIONAL for item in self.parameters)

    @property
    def names(self) -> list[str]:
        """The inputs that have a name of their own, in their order."""
        return [item.name for item in self.parameters if item.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]


EXTRA_ARGUMENTS = {"version", "outputs", "dtype", "run"}
"""What a handler may ask for that is no attribute."""

_handlers: dict[tuple[str, str], list[Handler]] = {}


def handles(
    op: str,
    *versions: int,
    domain: str = "",
    static: Iterable[str] = (),
    dtypes: Iterable[str] | None = None,
    random: bool = False,
) -> Callable[[Function], Function]:
    """Register a function for an operator, and for those of its versions that it covers.

    `dtypes` are the dtypes of the first input that it takes; any when None. `random` says that it draws numbers.
    """

    def register(function: Function) -> Function:
        parameters = tuple(inspect.signature(function).parameters.values())
        allowed = None if dtypes is None else frozenset(dtypes)
        handler = Handler(function, versions, frozenset(static), allowed, random, parameters)
        _handlers.setdefault((domain, op), []).append(handler)
        return function

    return register


def handler_of(node: Node) -> Handler | None:
    """The handler of a node's operator and version; None where there is none."""
    _load_handlers()
    found = _handlers.get((node.domain, node.op), [])
    return next((handler for handler in found if node.version in handler.versions), None)


def all_handlers() -> dict[tuple[str, str], list[Handler]]:
    """All handlers, by domain and operator."""
    _load_handlers()
    return dict(_handlers)


def unsupported_nodes(graph: Graph) -> list[UnsupportedNode]:
    """Every node of a graph that cannot be converted, those of subgraphs included."""
    found = []
    for node in graph.nodes:
        if (reason := _why_unsupported(node, graph)) is not None:
            label = f"{node.domain}.{node.op}" if node.domain else node.op
            found.append(UnsupportedNode(label, node.version, node.name, reason))
        for inner in node.subgraphs:
            found += unsupported_nodes(inner)
    return found


_IMPOSSIBLE = {
    ("ai.onnx.ml", "ZipMap"): "it gives maps, which are no tensors; export with the option zipmap=False",
    (
        "com.microsoft.nchwc",
        "",
    ): "ONNX Runtime wrote it for one kind of processor; let it optimize up to ORT_ENABLE_EXTENDED",
}
"""What cannot be had, by domain and operator ("" for all of a domain), and what to do instead."""


def _why_unsupported(node: Node, graph: Graph) -> str | None:
    """Why a node cannot be converted: empty text where its operator is unknown; None where it can be."""
    handler = handler_of(node)
    if handler is None:
        known = [version for other in _handlers.get((node.domain, node.op), []) for version in other.versions]
        if known:
            return f"only the versions {', '.join(map(str, sorted(known)))} are known"
        return _IMPOSSIBLE.get((node.domain, node.op), "") or _IMPOSSIBLE.get((node.domain, ""), "")
    if len(node.inputs) > len(handler.names) and not handler.any_number:
        return f"its input number {len(handler.names) + 1}"
    unknown = [] if handler.any_attribute else sorted(set(node.attributes) - handler.keywords)
    if unknown:
        return f"attribute {', '.join(unknown)}"
    info = graph.infos.get(node.inputs[0]) if node.inputs else None
    if handler.dtypes is not None and info is not None and info.dtype not in handler.dtypes:
        return str(info.dtype)
    return limit(node, graph)


def _load_handlers() -> None:
    """Import the files of handlers; each registers its own."""
    if not _handlers:
        for module in pkgutil.iter_modules(ops.__path__):
            importlib.import_module(f"{ops.__name__}.{module.name}")
