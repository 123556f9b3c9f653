"""The calls of PyTorch's modules as a tree of statements, from the metadata that the exporter leaves in each node."""

from __future__ import annotations

import ast
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import onnx

from convnet_core.convert.keras_source.syntax import Statement
from convnet_core.convert.name_scopes import node_scopes

_NAMES, _CLASSES = "pkg.torch.onnx.name_scopes", "pkg.torch.onnx.class_hierarchy"


def path_of(name: str) -> tuple[str, ...]:
    """The path of a dotted name; Keras allows no slash in the name of a layer."""
    return tuple(name.replace("/", "_").split("."))


@dataclass(frozen=True)
class Module:
    """A module by its path, such as ("layer1", "0"), and the full name of its class."""

    path: tuple[str, ...]
    kind: str

    @property
    def is_container(self) -> bool:
        """Whether it only calls its parts one after the other."""
        return self.kind.startswith("torch.nn.modules.container.")

    @property
    def is_pytorch_s(self) -> bool:
        """Whether its class is PyTorch's own."""
        return self.kind.startswith("torch.nn.")


@dataclass(frozen=True)
class Placed:
    """A statement, and the modules around it from the outside in, without the network itself."""

    statement: Statement
    modules: tuple[Module, ...] = ()


@dataclass
class Block:
    """One call of a module: statements, and calls of modules inside it."""

    module: Module
    items: list[Statement | Block] = field(default_factory=list)

    def blocks(self) -> Iterator[Block]:
        """All blocks inside this one."""
        for item in self.items:
            if isinstance(item, Block):
                yield from item.blocks()
                yield item

    @property
    def is_flat(self) -> bool:
        """Whether it has statements alone."""
        return not any(isinstance(item, Block) for item in self.items)


def modules_of(model: onnx.ModelProto) -> dict[str, tuple[Module, ...]]:
    """The modules around each node, by its name scope. Names in metadata come from the file, so they are only data."""
    return {scope: tuple(_modules(node)) for node, scope in zip(model.graph.node, node_scopes(model), strict=True)}


def _modules(node: onnx.NodeProto) -> Iterator[Module]:
    data = {item.key: item.value for item in node.metadata_props}
    try:
        names, kinds = ast.literal_eval(data[_NAMES]), ast.literal_eval(data[_CLASSES])
    except (KeyError, ValueError, SyntaxError, MemoryError, RecursionError):
        return
    for name, kind in list(zip(names, kinds, strict=False))[1:-1]:  # the first is the network, the last the operator
        yield Module(path_of(str(name)), str(kind))


def block_tree(placed: Sequence[Placed]) -> Block:
    """The calls of the network's own modules, as a tree. Modules that are called once, or are one statement, are not
    kept apart."""
    counts = Counter(module.kind for module in {module for item in placed for module in item.modules})
    root = Block(Module((), ""))
    root.items = list(_items(placed, 0, counts))
    return root


def _items(placed: Sequence[Placed], depth: int, counts: Counter[str]) -> Iterator[Statement | Block]:
    runs = [
        (module, list(run))
        for module, run in itertools.groupby(
            placed, lambda item: item.modules[depth] if len(item.modules) > depth else None
        )
    ]
    calls = Counter(module for module, _ in runs)
    for module, run in runs:
        if module is None:
            yield from (item.statement for item in run)
            continue
        inner = list(_items(run, depth + 1, counts))
        if counts[module.kind] > 1 and calls[module] == 1 and _is_worth_a_function(module, run, depth, inner):
            yield Block(module, inner)
        else:
            yield from inner


def _is_worth_a_function(module: Module, run: Sequence[Placed], depth: int, items: Sequence[Statement | Block]) -> bool:
    """Not a single statement, a row of calls of one class, nor a module of PyTorch without modules inside."""
    kinds = {item.module.kind if isinstance(item, Block) else "" for item in items}
    has_modules = any(len(item.modules) > depth + 1 for item in run)
    is_chain = len(kinds) == 1 and "" not in kinds
    return not module.is_container and len(items) > 1 and not is_chain and (has_modules or not module.is_pytorch_s)
