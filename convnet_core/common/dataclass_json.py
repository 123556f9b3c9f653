"""Dataclasses as JSON and back, with a check of every field's type. `Config` checks its own fields.

JSON has no infinity and no NaN: they become text, and text becomes a float again where a field is one.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import types
import typing
from typing import Any, TypeVar

from convnet_core.config.fields import Config

_T = TypeVar("_T")

_NOT_FINITE = ("inf", "-inf", "nan")


def dataclass_to_json(value: Any) -> dict[str, Any]:
    """A dataclass as plain JSON."""
    return dict(to_json_numbers(dataclasses.asdict(value)))


def to_json_numbers(value: Any) -> Any:
    """Replace infinity and NaN in nested lists and objects with text, and tuples with lists."""
    if isinstance(value, dict):
        return {key: to_json_numbers(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json_numbers(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def dataclass_from_json(kind: type[_T], value: Any) -> _T:
    """Rebuild a dataclass from the output of `dataclass_to_json` or `dataclasses.asdict`.

    Raises TypeError, and whatever the class or a config in it raises.
    """
    if not isinstance(value, dict):
        raise TypeError(f"{kind.__name__}: expected an object, got {type(value).__name__}")
    hints = _hints(typing.cast(Any, kind))
    if unknown := sorted(value.keys() - hints.keys()):
        raise TypeError(f"{kind.__name__}: unknown field {unknown[0]!r}")
    return kind(**{name: _convert(f"{kind.__name__}.{name}", item, hints[name]) for name, item in value.items()})


@functools.cache
def _hints(kind: Any) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind) if field.init}


def _convert(name: str, value: Any, kind: Any) -> Any:
    """Convert a value to a field's type: a list to a tuple, an object to a dataclass. Raises TypeError."""
    if type(value) is kind or kind is Any:
        return value
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return _convert_union(name, value, inner)
    if origin is typing.Literal and any(type(value) is type(choice) and value == choice for choice in inner):
        return value
    if origin in (tuple, list) and isinstance(value, list | tuple):
        if origin is tuple and inner[-1] is not Ellipsis:
            return tuple(_convert(name, item, part) for item, part in zip(value, inner, strict=True))
        return origin(_convert(name, item, inner[0]) for item in value)
    if origin is dict and isinstance(value, dict):
        return {_convert(name, key, inner[0]): _convert(name, item, inner[1]) for key, item in value.items()}
    if kind is float and (type(value) is int or value in _NOT_FINITE):
        return float(value)
    if isinstance(kind, type) and issubclass(kind, Config):
        return kind.from_json(value)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return dataclass_from_json(kind, value)
    raise TypeError(f"{name} must be {getattr(kind, '__name__', kind)}, not {type(value).__name__}")


def _convert_union(name: str, value: Any, kinds: tuple[Any, ...]) -> Any:
    if value is None and type(None) in kinds:
        return None
    for kind in kinds:
        try:
            return _convert(name, value, kind)
        except TypeError as error:
            last = error
    raise last
