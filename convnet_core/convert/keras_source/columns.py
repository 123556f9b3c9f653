"""What differs between the calls of a function: columns of values, of which few become parameters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from convnet_core.convert.keras_source.syntax import Choice, Expression, Literal, Operation, Parameter, identifier

ABSENT = object()
"""The value of a call that does not reach this place."""

Column = tuple[Any, ...]
"""The value of one place in each call."""

_MOST_TIMES, _FARTHEST = 8, 4
_CONDITIONS = ("strides", "kernel_size", "padding", "pool_size")
"""Numbers that a choice may depend on; that it depends on the number of filters would be a coincidence."""


@dataclass
class Parameters:
    """The parameters of a function, found by asking for one place after the other with `expression`."""

    names: list[str] = field(default_factory=list)
    columns: list[list[Any]] = field(default_factory=list)

    def expression(self, column: Column, hint: str) -> Expression:
        """What stands at a place that has these values: a number, or an expression of parameters."""
        known = [value for value in column if value is not ABSENT]
        if all(_equal(value, known[0]) for value in known):
            return Literal(known[0])
        for name, other in zip(self.names, self.columns, strict=True):
            if all(ABSENT in (one, two) or _equal(one, two) for one, two in zip(column, other, strict=True)):
                other[:] = [two if one is ABSENT else one for one, two in zip(column, other, strict=True)]
                return Parameter(name)
        for name, other in zip(self.names, self.columns, strict=True):
            if derived := _derive(column, name, other):
                return derived
        name = identifier(hint or "value", *self.names)
        self.names.append(name)
        self.columns.append(list(column))
        return Parameter(name)

    def values(self, call: int) -> list[Any]:
        """The arguments of a call; where it does not reach a parameter's places, the parameter's default."""
        return [
            self.default(index) if column[call] is ABSENT else column[call] for index, column in enumerate(self.columns)
        ]

    def defaults(self) -> dict[str, Any]:
        """The defaults of those parameters that more than one call has the same value for."""
        result = {}
        for index, (name, column) in enumerate(zip(self.names, self.columns, strict=True)):
            default = self.default(index)
            if sum(_equal(value, default) for value in column) > 1:
                result[name] = default
        return result

    def default(self, index: int) -> Any:
        """The most frequent value of a parameter."""
        counts = Counter(repr(value) for value in self.columns[index] if value is not ABSENT)
        most = counts.most_common(1)[0][0]
        return next(value for value in self.columns[index] if value is not ABSENT and repr(value) == most)


def _equal(one: Any, two: Any) -> bool:
    return type(one) is type(two) and bool(one == two)


def _derive(column: Column, name: str, other: Sequence[Any]) -> Expression | None:
    """The column as an expression of a parameter; None if there is no simple one."""
    pairs = [(one, two) for one, two in zip(column, other, strict=True) if one is not ABSENT]
    if any(two is ABSENT for _, two in pairs):
        return None
    parameter = Parameter(name)
    if all(type(value) is int for pair in pairs for value in pair):
        one, two = pairs[0]
        for times in range(2, _MOST_TIMES + 1):
            if all(one == times * two for one, two in pairs):
                return Operation("*", Literal(times), parameter)
            if all(two == times * one for one, two in pairs):
                return Operation("//", parameter, Literal(times))
        offset = one - two
        if 0 < abs(offset) <= _FARTHEST and all(one - two == offset for one, two in pairs):
            return Operation("+" if offset > 0 else "-", parameter, Literal(abs(offset)))
    is_number = any(isinstance(two, int) and not isinstance(two, bool) for _, two in pairs)
    return _choose(pairs, parameter) if not is_number or name.startswith(_CONDITIONS) else None


def _choose(pairs: list[tuple[Any, Any]], parameter: Parameter) -> Expression | None:
    """The column as a choice by one value of a parameter, if it has two values."""
    values = list({repr(one): one for one, _ in pairs}.values())
    if len(values) != 2:
        return None
    for value in {repr(two): two for _, two in pairs}.values():
        inside = {repr(one) for one, two in pairs if _equal(two, value)}
        outside = {repr(one) for one, two in pairs if not _equal(two, value)}
        if len(inside) == len(outside) == 1 and inside != outside:
            yes = next(one for one in values if {repr(one)} == inside)
            no = next(one for one in values if {repr(one)} == outside)
            return _choice(parameter, value, yes, no)
    return None


def _choice(parameter: Parameter, value: Any, yes: Any, no: Any) -> Expression:
    if isinstance(value, bool):
        condition: Expression = parameter
        yes, no = (yes, no) if value else (no, yes)
    else:
        condition = Operation("==", parameter, Literal(value))
    if (yes, no) == (True, False) and isinstance(yes, bool):
        return condition
    if (yes, no) == (False, True) and isinstance(yes, bool):
        return (
            Operation("!=", parameter, Literal(value))
            if not isinstance(value, bool)
            else Operation("not", Literal(None), condition)
        )
    return Choice(condition, Literal(yes), Literal(no))
