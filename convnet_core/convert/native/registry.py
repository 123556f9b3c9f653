"""Which function converts which ONNX operator. TensorFlow is imported only when a handler runs."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from convnet_core.common.formatting import list_words
from convnet_core.convert.native import ops
from convnet_core.convert.native.ir import Graph, Node
from convnet_core.convert.native.limits import limit
from convnet_core.errors import UnsupportedNode
from convnet_core.language import N_, _

Function = Callable[..., Any]


@dataclass(frozen=True)
class Handler:
    """A function that converts one ONNX operator to TensorFlow ops.

    It takes the node's inputs by position (None for an omitted optional input) and its attributes by keyword under
    their ONNX names, and returns one value or a tuple. Parameters without a default are required. It may also
    declare these keyword parameters: `version` (of the operator), `outputs` (how many the node has), `dtype` (the first
    output's inferred dtype, or None) and `run` (runs a subgraph). `static` names inputs that must not become variables
    because their values determine shapes or the choice of ops. A `random` handler draws random numbers, so its result
    is never folded to a constant, which would be the same in every run.
    """

    function: Function
    versions: tuple[int, ...]
    static: frozenset[str]
    dtypes: frozenset[str] | None
    random: bool
    parameters: tuple[inspect.Parameter, ...]

    @property
    def keywords(self) -> set[str]:
        """Names of the keyword parameters: attributes and extra arguments."""
        return {item.name for item in self.parameters if item.kind is inspect.Parameter.KEYWORD_ONLY}

    @property
    def accepts_any_attribute(self) -> bool:
        """Whether it has a `**` parameter."""
        return any(item.kind is inspect.Parameter.VAR_KEYWORD for item in self.parameters)

    @property
    def accepts_any_inputs(self) -> bool:
        """Whether it has a `*` parameter."""
        return any(item.kind is inspect.Parameter.VAR_POSITIONAL for item in self.parameters)

    @property
    def input_names(self) -> list[str]:
        """Names of the positional parameters, in order."""
        return [item.name for item in self.parameters if item.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]


EXTRA_ARGUMENTS = {"version", "outputs", "dtype", "run"}
"""Keyword parameters that a handler may declare besides attributes."""

_handlers: dict[tuple[str, str], list[Handler]] = {}


def handles(
    op: str,
    *versions: int,
    domain: str = "",
    static: Iterable[str] = (),
    dtypes: Iterable[str] | None = None,
    random: bool = False,
) -> Callable[[Function], Function]:
    """Register a function for these versions of an operator.

    `dtypes` lists the dtypes it accepts for its first input; None accepts any. `random` marks one that draws random
    numbers.
    """

    def register(function: Function) -> Function:
        parameters = tuple(inspect.signature(function).parameters.values())
        allowed = None if dtypes is None else frozenset(dtypes)
        handler = Handler(function, versions, frozenset(static), allowed, random, parameters)
        _handlers.setdefault((domain, op), []).append(handler)
        return function

    return register


def handler_of(node: Node) -> Handler | None:
    """The handler for a node's operator and version, or None."""
    _load_handlers()
    candidates = _handlers.get((node.domain, node.op), [])
    return next((handler for handler in candidates if node.version in handler.versions), None)


def all_handlers() -> dict[tuple[str, str], list[Handler]]:
    """All handlers, by domain and operator."""
    _load_handlers()
    return _handlers


def unsupported_nodes(graph: Graph) -> list[UnsupportedNode]:
    """Every node of a graph and its subgraphs that cannot be converted."""
    unsupported = []
    for node in graph.nodes:
        if (reason := _why_unsupported(node, graph)) is not None:
            label = f"{node.domain}.{node.op}" if node.domain else node.op
            unsupported.append(UnsupportedNode(label, node.version, node.name, reason))
        for inner in node.subgraphs:
            unsupported += unsupported_nodes(inner)
    return unsupported


_IMPOSSIBLE = {
    ("ai.onnx.ml", "ZipMap"): N_("it outputs maps, not tensors; export with the option zipmap=False"),
    (
        "com.microsoft.nchwc",
        "",
    ): N_("ONNX Runtime wrote it for one kind of processor; optimize with ORT_ENABLE_EXTENDED at most"),
}
"""Operators that cannot be supported, by domain and operator ("" for a whole domain), and what to do instead."""


def _why_unsupported(node: Node, graph: Graph) -> str | None:
    """Why a node cannot be converted: an empty string for an unknown operator, None if it can be."""
    handler = handler_of(node)
    if handler is None:
        versions = [version for other in _handlers.get((node.domain, node.op), []) for version in other.versions]
        if versions:
            return _("only versions {versions} are supported", versions=list_words(map(str, sorted(versions))))
        reason = _IMPOSSIBLE.get((node.domain, node.op)) or _IMPOSSIBLE.get((node.domain, ""))
        return _(reason) if reason else ""
    if len(node.inputs) > len(handler.input_names) and not handler.accepts_any_inputs:
        return _("input number {number}", number=len(handler.input_names) + 1)
    unknown = [] if handler.accepts_any_attribute else sorted(set(node.attributes) - handler.keywords)
    if unknown:
        return _("attribute {names}", names=list_words(unknown))
    info = graph.infos.get(node.inputs[0]) if node.inputs else None
    if handler.dtypes is not None and info is not None and info.dtype not in handler.dtypes:
        return str(info.dtype)
    return limit(node, graph)


def _load_handlers() -> None:
    """Import all handler modules, which register themselves."""
    if not _handlers:
        for module in pkgutil.iter_modules(ops.__path__):
            importlib.import_module(f"{ops.__name__}.{module.name}")
