"""Write each class of modules once: the calls of a class become calls of one function, with what differs as parameters.

The longest call of a class is the pattern. A shorter one must have the same statements but for some that are missing,
which the function then makes `if` a condition holds. Calls that do not fit the pattern get a function of their own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from convnet_core.convert.keras_source.bodies import body_of
from convnet_core.convert.keras_source.columns import Parameters
from convnet_core.convert.keras_source.modules import Block
from convnet_core.convert.keras_source.patterns import Instance, Pattern
from convnet_core.convert.keras_source.registry import call
from convnet_core.convert.keras_source.syntax import Function, LayerName, Ref, Statement, identifier, refs


class Functions:
    """The functions of a source. `flatten` replaces the modules' calls of a tree by calls of functions."""

    def __init__(self, outputs: Sequence[str]) -> None:
        self.functions: list[Function] = []
        self._outputs = set(outputs)

    def flatten(self, root: Block) -> list[Statement]:
        """The statements of the tree, with calls of functions that are then in `functions`."""
        while blocks := list(root.blocks()):
            flat = [block for block in blocks if block.is_flat]
            waiting = {block.module.kind for block in blocks if not block.is_flat}
            kind = next((block.module.kind for block in flat if block.module.kind not in waiting), flat[0].module.kind)
            self._replace(root, [block for block in flat if block.module.kind == kind])
        return [item for item in root.items if isinstance(item, Statement)]

    def _replace(self, root: Block, blocks: list[Block]) -> None:
        used = Counter([*_uses(root), *self._outputs])
        rest = sorted((_instance(block, used) for block in blocks), key=lambda call: -len(call.statements))
        statements: dict[int, list[Statement]] = {}
        while rest:
            pattern = Pattern(rest[0])
            rest = [call for call in rest if not pattern.take(call)]
            pattern.group.sort(key=lambda call: blocks.index(call.block))
            statements |= self._write(pattern)
        _substitute(root, statements)

    def _write(self, pattern: Pattern) -> dict[int, list[Statement]]:
        """The statements that replace each call, by the id of its block; with a function if there are several calls."""
        if len(pattern.group) == 1:
            return {id(call.block): call.statements for call in pattern.group}
        parameters, longest = Parameters(), pattern.longest
        items = body_of(pattern, parameters)
        kind = longest.block.module.kind.rpartition(".")[2]
        name = identifier(kind, *(function.name for function in self.functions))
        self.functions.append(
            Function(name, longest.inputs, tuple(parameters.names), parameters.defaults(), items, longest.outputs)
        )
        return {id(call.block): [_call(name, call, parameters, number)] for number, call in enumerate(pattern.group)}


def _uses(block: Block) -> list[str]:
    """Every use of a tensor in a tree."""
    return [name for item in block.items for name in (_uses(item) if isinstance(item, Block) else refs(item.value))]


def _instance(block: Block, used: Counter[str]) -> Instance:
    statements = [item for item in block.items if isinstance(item, Statement)]
    inside = [name for statement in statements for name in refs(statement.value)]
    made = [name for statement in statements for name in statement.targets]
    inputs = tuple(dict.fromkeys(name for name in inside if name not in made))
    outputs = tuple(name for name in made if used[name] > inside.count(name))
    return Instance(block, statements, inputs, outputs, list(range(len(statements))))


def _call(function: str, instance: Instance, parameters: Parameters, number: int) -> Statement:
    """The statement for one call of a function."""
    values = dict(zip(parameters.names, parameters.values(number), strict=True))
    name = LayerName.of(instance.block.module.path)
    return Statement(instance.outputs, call(function, *map(Ref, instance.inputs), **values, name=name))


def _substitute(block: Block, statements: dict[int, list[Statement]]) -> None:
    items: list[Statement | Block] = []
    for item in block.items:
        if isinstance(item, Block) and id(item) in statements:
            items += statements[id(item)]
            continue
        if isinstance(item, Block):
            _substitute(item, statements)
        items.append(item)
    block.items = items
