"""Roll up calls that differ in a counted name alone."""

from __future__ import annotations

from collections.abc import Sequence

from convnet_core.convert.keras_source.syntax import (
    Call,
    Item,
    LayerName,
    Literal,
    Loop,
    Operation,
    Parameter,
    Ref,
    Statement,
)

VARIABLE = "index"


def roll_up(items: Sequence[Item]) -> list[Item]:
    """The same items with `for` over two or more calls in a row that only count up."""
    result: list[Item] = []
    position = 0
    while position < len(items):
        run = _run(items, position)
        if len(run) > 1:
            result.append(_loop(run))
        else:
            result.append(items[position])
        position += max(1, len(run))
    return result


def _run(items: Sequence[Item], start: int) -> list[Statement]:
    run: list[Statement] = []
    for item in items[start:]:
        if not isinstance(item, Statement) or (number := _number(item)) is None:
            break
        if run and not (_follows(run[-1], item) and number == (_number(run[-1]) or 0) + 1):
            break
        run.append(item)
    return run


def _number(item: Statement) -> int | None:
    """The last part of the name of a call, if it is a number."""
    value = item.value
    if (
        not isinstance(value, Call)
        or isinstance(value.function, Call)
        or len(item.targets) != 1
        or len(value.args) != 1
    ):
        return None
    name = dict(value.keywords).get("name")
    last = name.parts[-1] if isinstance(name, LayerName) and name.parts else None
    if not isinstance(last, Literal):
        return None
    return last.value if isinstance(last.value, int) else _split(last.value)[1]


def _split(part: str) -> tuple[str, int | None]:
    """A part such as layer_11 as its text and its number."""
    text = part.rstrip("0123456789")
    digits = part[len(text) :]
    return (text, int(digits)) if digits and str(int(digits)) == digits else (part, None)


def _follows(one: Statement, two: Statement) -> bool:
    first, second = one.value, two.value
    assert isinstance(first, Call)
    assert isinstance(second, Call)
    if first.function != second.function or second.args != (Ref(one.targets[0]),):
        return False
    ones, twos = dict(first.keywords), dict(second.keywords)
    name, other = ones.pop("name"), twos.pop("name")
    assert isinstance(name, LayerName)
    assert isinstance(other, LayerName)
    return ones == twos and name.parts[:-1] == other.parts[:-1] and _text(name) == _text(other)


def _text(name: LayerName) -> str:
    """The last part of a name without its number."""
    last = name.parts[-1]
    assert isinstance(last, Literal)
    return "" if isinstance(last.value, int) else _split(last.value)[0]


def _loop(run: list[Statement]) -> Loop:
    first, value = run[0], run[0].value
    assert isinstance(value, Call)
    name = dict(value.keywords)["name"]
    assert isinstance(name, LayerName)
    last = Parameter(VARIABLE) if not (text := _text(name)) else Operation("&", Literal(text), Parameter(VARIABLE))
    counted = LayerName((*name.parts[:-1], last), name.inside)
    keywords = tuple((key, counted if key == "name" else item) for key, item in value.keywords)
    start = _number(first) or 0
    return Loop(
        VARIABLE, start, start + len(run), Statement(run[-1].targets, Call(value.function, value.args, keywords))
    )
