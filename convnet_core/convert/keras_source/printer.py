"""The text of functions: variables for values, and lines of at most 120 characters."""

from __future__ import annotations

import keyword
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

_WIDTH = 120
_INDENT = 4
_SPARE = ("y", "z", "a", "b", "c", "d")


class Printer:
    """Prints functions; `defaults` has those of all functions that may be called."""

    def __init__(self, functions: Sequence[Function]) -> None:
        self._defaults = {**DEFAULTS, **{function.name: function.defaults for function in functions}}
        self._held: dict[str, str] = {}
        self._depth = 1

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
                    yield from self._indented(statement, left, wanted)
                rest = [(value, other) for value, other in item.merges if self._held[value] != kept[other]]
                if rest:
                    yield "else:"
                for value, other in rest:
                    yield f"    {self._held[value]} = {kept[other]}"

    def _loop(self, loop: Loop, left: Counter[str]) -> Iterator[str]:
        """A loop reads and writes one variable, which starts with the loop's input."""
        (source,), (target,) = refs(loop.item.value), loop.item.targets
        before = self._held[source]
        body = list(self._indented(loop.item, left, {}))
        variable = self._held[target]
        if variable != before:
            yield f"{variable} = {before}"
            self._held = {**self._held, source: variable}
            self._depth += 1
            body = [f"    {line}" for line in wrap(f"{variable} = {self.text(loop.item.value)}", self._depth)]
            self._depth -= 1
            self._held[source] = before
        start = f"{loop.start}, " if loop.start else ""
        yield f"for {loop.variable} in range({start}{loop.stop}):"
        yield from body

    def _indented(self, statement: Statement, left: Counter[str], wanted: Mapping[str, str]) -> Iterator[str]:
        self._depth += 1
        yield from (f"    {line}" for line in self._statement(statement, left, wanted))
        self._depth -= 1

    def _statement(
        self, statement: Statement, left: Counter[str], wanted: Mapping[str, str] = MappingProxyType({})
    ) -> Iterator[str]:
        used = refs(statement.value)
        before = dict(self._held)
        left.subtract(used)
        free = [variable for name in used if left[name] <= 0 and not (variable := self._held[name]).startswith("input")]
        for name in used:
            if left[name] <= 0:
                self._held.pop(name, None)
        after, self._held = self._held, before
        value = self.text(statement.value)
        self._held = after
        taken = set(self._held.values())
        targets = []
        for target in statement.targets:
            options = [*(name for name in free if name not in taken), *(name for name in _SPARE if name not in taken)]
            options += [f"x{number}" for number in range(2, 99) if f"x{number}" not in taken]
            if wanted.get(target) in free:
                options[0] = wanted[target]
            variable = (
                options[0]
                if target in wanted and options[0] == wanted[target]
                else "x"
                if "x" not in taken and ("x" in free or not free)
                else options[0]
            )
            self._held[target] = variable
            taken.add(variable)
            targets.append(variable)
        if targets != [value]:
            yield from wrap(f"{', '.join(targets)} = {value}", self._depth)

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
                return str(value).replace("{", "{{").replace("}", "}}")
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


def wrap(line: str, depth: int) -> list[str]:
    """A line, or several if it is too long at this depth: the arguments of its longest call on lines of their own, as
    ruff's formatter does it."""
    width = _WIDTH - _INDENT * depth
    if len(line) <= width:
        return [line]
    start, stop = _longest_brackets(line)
    head, inner, tail = line[: start + 1], line[start + 1 : stop], line[stop:]
    if len(inner) <= width - _INDENT and not line.startswith("def "):
        return [head, f"{' ' * _INDENT}{inner}", tail]
    return [head, *(f"{' ' * _INDENT}{item}," for item in _split(inner)), tail]


def _longest_brackets(line: str) -> tuple[int, int]:
    """The places of the outermost pair of parentheses with the most between them."""
    pairs, depth, start = [], 0, 0
    for place, letter in enumerate(line):
        if letter in "([":
            depth, start = depth + 1, start if depth else place
        elif letter in ")]":
            depth -= 1
            if not depth:
                pairs.append((start, place))
    return max(pairs, key=lambda pair: pair[1] - pair[0])


def _split(text: str) -> list[str]:
    """The arguments of a call."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


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


def _uses(item: Item) -> list[str]:
    match item:
        case Statement():
            return refs(item.value)
        case Loop():
            return refs(item.item.value)
        case Branch():
            return [name for inner in item.items for name in refs(inner.value)] + [other for _, other in item.merges]


def is_identifier(name: str) -> bool:
    """Whether a name can be a variable."""
    return name.isidentifier() and not keyword.iskeyword(name)
