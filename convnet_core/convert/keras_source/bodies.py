"""The body of a function that stands for several calls of a class: what they share, with parameters for the rest."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace

from convnet_core.convert.keras_source.columns import ABSENT, Parameters
from convnet_core.convert.keras_source.patterns import Instance, Pattern
from convnet_core.convert.keras_source.syntax import (
    Branch,
    Call,
    Expression,
    Item,
    LayerName,
    Literal,
    Operation,
    children,
    rebuild,
    walk,
)

_POSITIONS = {
    "Activation": ("activation",),
    "Conv": ("filters", "kernel_size"),
    "DepthwiseConv": ("kernel_size",),
    "Dense": ("units",),
    "ZeroPadding": ("padding",),
    "MaxPooling": ("pool_size",),
}
"""The names of positional arguments, for the names of parameters."""


def body_of(pattern: Pattern, parameters: Parameters) -> tuple[Item, ...]:
    """The statements of a function for all calls of a pattern; adds the parameters that it needs."""
    statements = pattern.longest.statements
    present = [tuple(call.places[place] is not None for call in pattern.group) for place in range(len(statements))]
    written = [
        replace(statement, value=_generalize(place, pattern, parameters)) for place, statement in enumerate(statements)
    ]
    items: list[Item] = []
    for who, run in itertools.groupby(range(len(written)), lambda place: present[place]):
        places = list(run)
        part = tuple(written[place] for place in places)
        if all(who):
            items += part
            continue
        condition = parameters.expression(who, _flag(pattern.longest, places[0]))
        targets = [name for statement in part for name in statement.targets if name in pattern.stand_ins]
        items.append(Branch(condition, part, tuple((name, pattern.stand_ins[name]) for name in targets)))
    return tuple(items)


def _flag(longest: Instance, place: int) -> str:
    """A name for the condition of a branch that starts at a place."""
    statement = longest.statements[place]
    if isinstance(statement.value, Operation):
        return "residual" if statement.value.operator == "+" else "scaled"
    inside = len(longest.block.module.path)
    names = (item for item in walk(statement.value) if isinstance(item, LayerName))
    parts = (part for item in names for part in item.path[inside:] if not part.isdecimal())
    return next(parts, "more")


def _generalize(place: int, pattern: Pattern, parameters: Parameters) -> Expression:
    """The expression of a place, with parameters where the calls differ."""
    values = [_value(call, place) for call in pattern.group]
    longest = _value(pattern.longest, place)
    assert longest is not None
    return _merge(longest, values, parameters, "")


def _value(call: Instance, place: int) -> Expression | None:
    """The expression of a call at a place, with names of layers from its module on."""
    statement = call.at(place)
    return None if statement is None else _inside(statement.value, len(call.block.module.path))


def _inside(item: Expression, depth: int) -> Expression:
    """The same with names of layers from the function's own module on."""
    if isinstance(item, LayerName):
        return LayerName(item.parts[depth:], inside=True)
    return rebuild(item, lambda inner: _inside(inner, depth))


def _merge(first: Expression, values: Sequence[Expression | None], parameters: Parameters, hint: str) -> Expression:
    if isinstance(first, Literal):
        column = tuple(value.value if isinstance(value, Literal) else ABSENT for value in values)
        return parameters.expression(column, hint)
    hints = iter(_hints(first))
    count = len(list(children(first)))
    inner = [list(children(value)) if value is not None else [None] * count for value in values]
    places = iter(zip(*inner, strict=True))
    return rebuild(first, lambda item: _merge(item, next(places), parameters, next(hints)))


def _hints(item: Expression) -> Iterator[str]:
    """A name for a parameter at each place inside an expression."""
    if isinstance(item, Call):
        if isinstance(item.function, Call):
            yield ""
        kind = item.function.removeprefix("layers.").rstrip("123D") if isinstance(item.function, str) else ""
        after = "shape" if item.function == "ops.reshape" else "value"
        yield from itertools.islice(itertools.chain(_POSITIONS.get(kind, ()), itertools.repeat(after)), len(item.args))
        yield from (name for name, _ in item.keywords)
    elif isinstance(item, LayerName):
        yield from ("index" for _ in item.parts)
    else:
        yield from ("value" for _ in children(item))
