"""The text of functions: expressions, and variables for values."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from convnet_core.convert.keras_source.defaults import DEFAULTS
from convnet_core.convert.keras_source.syntax import (
    Branch,
    Call,
    Choice,
    Expression,
    Function,
    Index,
    Item,
    LayerName,
    List,
    Literal,
    Loop,
    Operation,
    Parameter,
    Ref,
    Statement,
    refs,
)
from convnet_core.convert.keras_source.wrapping import INDENT, wrap

INPUT = "input"
"""The start of the variables for the model's inputs, which keep their values."""

_SPARE = ("y", "z", "a", "b", "c", "d")
_NONE: Mapping[str, str] = MappingProxyType({})


class Printer:
    """Prints functions; `defaults` has those of all functions that may be called."""

    def __init__(self, functions: Sequence[Function]) -> None:
        self._defaults = {**DEFAULTS, **{function.name: function.defaults for function in functions}}
        self._held: dict[str, str] = {}

    def body(self, items: Sequence[Item], outputs: Sequence[str], inputs: dict[str, str]) -> Iterator[str]:
        """The lines of a body that starts with values in variables, without the return."""
        self._held = dict(inputs)
        left = Counter(name for item in items for name in _uses(item)) + Counter(outputs)
        for item in items:
            yield from self._item(item, left)

    def variable(self, tensor: str) -> str:
        """The variable that holds a value at the end."""
        return self._held[tensor]

    def _item(self, item: Item, left: Counter[str]) -> Iterator[str]:
        match item:
            case Statement():
                yield from self._statement(item, left)
            case Loop():
                yield from self._loop(item, left)
            case Branch():
                yield f"if {self.text(item.condition)}:"
                kept = {other: self._held[other] for _, other in item.merges}
                for _, other in item.merges:
                    left[other] -= 1
                wanted = {value: kept[other] for value, other in item.merges}
                for statement in item.items:
                    yield from _indented(self._statement(statement, left, wanted, depth=2))
                rest = [(value, other) for value, other in item.merges if self._held[value] != kept[other]]
                if rest:
                    yield "else:"
                for value, other in rest:
                    yield f"    {self._held[value]} = {kept[other]}"

    def _loop(self, loop: Loop, left: Counter[str]) -> Iterator[str]:
        """A loop reads and writes one variable, which starts with the loop's input."""
        (source,), statement = refs(loop.item.value), loop.item
        before = self._held[source]
        (variable,) = self._assign(statement, left)
        if variable != before:
            yield f"{variable} = {before}"
        start = f"{loop.start}, " if loop.start else ""
        yield f"for {loop.variable} in range({start}{loop.stop}):"
        yield from _indented(self._lines([variable], statement, {source: variable}, depth=2))

    def _statement(
        self, statement: Statement, left: Counter[str], wanted: Mapping[str, str] = _NONE, depth: int = 1
    ) -> Iterator[str]:
        held = dict(self._held)
        variables = self._assign(statement, left, wanted)
        yield from self._lines(variables, statement, held, depth)

    def _lines(self, variables: Sequence[str], statement: Statement, held: dict[str, str], depth: int) -> Iterator[str]:
        """The lines of a statement that reads the values in `held`."""
        after, self._held = self._held, held
        value = self.text(statement.value)
        self._held = after
        if [*variables] != [value]:
            yield from wrap(f"{', '.join(variables)} = {value}", depth)

    def _assign(self, statement: Statement, left: Counter[str], wanted: Mapping[str, str] = _NONE) -> list[str]:
        """The variables for what a statement gives; those of values that it is the last to use are free again."""
        used = refs(statement.value)
        left.subtract(used)
        free = [self._held.pop(name) for name in dict.fromkeys(used) if left[name] <= 0]
        variables = []
        for target in statement.targets:
            variable = self._choose([name for name in free if name not in variables], wanted.get(target, ""))
            self._held[target] = variable
            variables.append(variable)
        return variables

    def _choose(self, free: Sequence[str], wanted: str) -> str:
        """A variable: the one that is wanted, if it is free; x, if it can be; one that is free; a new one."""
        taken = set(self._held.values())
        own = [name for name in free if name not in taken and not name.startswith(INPUT)]
        if wanted in own:
            return wanted
        if "x" in own or (not own and "x" not in taken):
            return "x"
        more = (f"x{number}" for number in itertools.count(2))
        return next(name for name in itertools.chain(own, _SPARE, more) if name not in taken)

    def text(self, item: Expression) -> str:
        """An expression as text."""
        match item:
            case Ref(tensor):
                return self._held[tensor]
            case Literal(value):
                return literal(value)
            case Parameter(name):
                return name
            case LayerName():
                return self._name(item)
            case Call():
                return self._call(item)
            case List(items):
                return f"[{', '.join(map(self.text, items))}]"
            case Operation("not", _, condition):
                return f"not {self.text(condition)}"
            case Operation(operator, one, two):
                return f"{self._operand(one)} {operator} {self._operand(two)}"
            case Choice(condition, yes, no):
                return f"{self.text(yes)} if {self.text(condition)} else {self.text(no)}"
            case Index(inner, index):
                return f"{self._operand(inner)}[{index}]"
        raise AssertionError(item)

    def _operand(self, item: Expression) -> str:
        text = self.text(item)
        return f"({text})" if isinstance(item, Operation | Choice) else text

    def _name(self, item: LayerName) -> str:
        if not item.inside and all(isinstance(part, Literal) for part in item.parts):
            return literal(".".join(item.path))
        if not item.parts:
            return "name"
        parts = [self._part(part) for part in item.parts]
        inner = ".".join(["{name}", *parts] if item.inside else parts)
        return f'f"{inner}"'

    def _part(self, part: Expression) -> str:
        """A part of a name inside an f-string."""
        match part:
            case Literal(value):
                inner = json.dumps(str(value), ensure_ascii=False)[1:-1]  # JSON's escapes are Python's too
                return inner.replace("{", "{{").replace("}", "}}")
            case Operation("&", before, number):
                return self._part(before) + self._part(number)
        text = self.text(part).replace('"', "'")  # before Python 3.12, an f-string cannot have its own quotes inside
        return f"{{{text}}}"

    def _call(self, item: Call) -> str:
        match item:
            case Call(Call("layers.Activation", (Literal(name),)), (x,)):
                return f"ops.{name}({self.text(x)})"
        head = self._call(item.function) if isinstance(item.function, Call) else item.function
        known = {} if isinstance(item.function, Call) else self._defaults.get(item.function, {})
        args = [self.text(arg) for arg in item.args]
        args += [
            f"{name}={self.text(value)}"
            for name, value in item.keywords
            if not (isinstance(value, Literal) and name in known and _same(known[name], value.value))
        ]
        return f"{head}({', '.join(args)})"


def _same(one: Any, two: Any) -> bool:
    return type(one) is type(two) and bool(one == two)


def literal(value: Any) -> str:
    """A value as Python prints it, with double quotes."""
    if isinstance(value, str):
        text = repr(value)
        return f'"{text[1:-1]}"' if text[0] == "'" and '"' not in text else text
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return f'float("{value}")'
    if isinstance(value, tuple):
        inner = ", ".join(map(literal, value))
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    return repr(value)


def _indented(lines: Iterator[str]) -> Iterator[str]:
    return (" " * INDENT + line for line in lines)


def _uses(item: Item) -> list[str]:
    match item:
        case Statement():
            return refs(item.value)
        case Loop():
            return refs(item.item.value)
        case Branch():
            return [name for inner in item.items for name in refs(inner.value)] + [other for _, other in item.merges]
