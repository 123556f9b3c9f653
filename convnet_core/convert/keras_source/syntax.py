"""The parts of Python that the source is made of: expressions and statements, with their text.

A value is referred to by its tensor's name; the printer is given the variable that holds it.
"""

from __future__ import annotations

import itertools
import keyword
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

RESERVED = ("Input", "Model", "Weight", "build", "index", "layers", "name", "ops")
"""Names that the source uses itself, besides variables."""

_VARIABLE = re.compile(r"[a-z]\d*|inputs|input_\d+")


@dataclass(frozen=True)
class Ref:
    """The value of a tensor."""

    tensor: str


@dataclass(frozen=True)
class Literal:
    """A number, text, bool, None, or a tuple of these."""

    value: Any


@dataclass(frozen=True)
class Parameter:
    """A parameter of the function around it."""

    name: str


@dataclass(frozen=True)
class LayerName:
    """The path of a PyTorch module, such as layer1.0.conv1; behind the function's own parameter `name` if `inside`."""

    parts: tuple[Expression, ...]
    inside: bool = False

    @classmethod
    def of(cls, path: tuple[str, ...]) -> LayerName:
        """A name whose numbers are numbers, so that they can be counted up."""
        return cls(tuple(Literal(int(part) if re.fullmatch("0|[1-9][0-9]*", part) else part) for part in path))

    @property
    def path(self) -> tuple[str, ...]:
        """The parts as texts."""
        return tuple(str(part.value) if isinstance(part, Literal) else "?" for part in self.parts)


@dataclass(frozen=True)
class Call:
    """`function(*args, **keywords)`."""

    function: str | Call
    args: tuple[Expression, ...] = ()
    keywords: tuple[tuple[str, Expression], ...] = ()


@dataclass(frozen=True)
class Operation:
    """`left operator right`."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True)
class List:
    """`[item, ...]`."""

    items: tuple[Expression, ...]


@dataclass(frozen=True)
class Choice:
    """`yes if condition else no`."""

    condition: Expression
    yes: Expression
    no: Expression


@dataclass(frozen=True)
class Index:
    """`value[index]`; `index` is the text between the brackets."""

    value: Expression
    index: str


Expression = Ref | Literal | Parameter | LayerName | Call | Operation | List | Choice | Index


@dataclass(frozen=True)
class Statement:
    """`targets = value`."""

    targets: tuple[str, ...]
    value: Expression


def children(item: Expression) -> Iterator[Expression]:
    """The expressions inside an expression, in the order of the text."""
    match item:
        case Call(function, args, keywords):
            if isinstance(function, Call):
                yield function
            yield from args
            yield from (value for _, value in keywords)
        case Operation(_, left, right):
            yield left
            yield right
        case Choice(condition, yes, no):
            yield from (condition, yes, no)
        case LayerName(parts, _) | List(parts):
            yield from parts
        case Index(value, _):
            yield value


def rebuild(item: Expression, change: Callable[[Expression], Expression]) -> Expression:
    """The same expression with each inner expression changed."""
    match item:
        case Call(function, args, keywords):
            new = change(function) if isinstance(function, Call) else function
            assert isinstance(new, str | Call)
            return Call(new, tuple(map(change, args)), tuple((name, change(value)) for name, value in keywords))
        case Operation(operator, left, right):
            return Operation(operator, change(left), change(right))
        case Choice(condition, yes, no):
            return Choice(change(condition), change(yes), change(no))
        case List(items):
            return List(tuple(map(change, items)))
        case LayerName(parts, inside):
            return LayerName(tuple(map(change, parts)), inside)
        case Index(value, index):
            return Index(change(value), index)
    return item


def walk(item: Expression) -> Iterator[Expression]:
    """An expression and all expressions inside it."""
    yield item
    for inner in children(item):
        yield from walk(inner)


def refs(item: Expression) -> list[str]:
    """The tensors that an expression uses, in order."""
    return [inner.tensor for inner in walk(item) if isinstance(inner, Ref)]


@dataclass(frozen=True)
class Branch:
    """`if condition: ...`. `merges` pairs a value of the branch with the one that stands for it without the branch."""

    condition: Expression
    items: tuple[Statement, ...]
    merges: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Loop:
    """`for variable in range(start, stop): ...`"""

    variable: str
    start: int
    stop: int
    item: Statement


Item = Statement | Branch | Loop


@dataclass(frozen=True)
class Function:
    """A function of the source. `defaults` are those parameters that have one."""

    name: str
    inputs: tuple[str, ...]
    parameters: tuple[str, ...]
    defaults: dict[str, Any]
    items: tuple[Item, ...]
    outputs: tuple[str, ...]


def identifier(text: str, *taken: str) -> str:
    """A name for Python code from any text: lower case, neither a keyword, a variable, nor a name that is taken."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", text)
    plain = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")
    if not plain or plain[0].isdecimal() or keyword.iskeyword(plain) or _VARIABLE.fullmatch(plain):
        plain = f"part_{plain}".strip("_")
    numbered = (f"{plain}_{number}" for number in itertools.count(2))
    return next(name for name in itertools.chain([plain], numbered) if name not in {*taken, *RESERVED})
