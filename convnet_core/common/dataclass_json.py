"""Dataclasses out of JSON, checked: what is of another type than its field says is found here, and not by whoever
uses it later. `Config` has checks of its own; here a field has a type and nothing else.
"""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from typing import Any, TypeVar

from convnet_core.config.fields import Config

_Made = TypeVar("_Made")


def dataclass_from_json(kind: type[_Made], value: Any) -> _Made:
    """The dataclass that `dataclasses.asdict` took apart. Raises TypeError, or what the class itself or a config in it
    raises.
    """
    if not isinstance(value, dict):
        raise TypeError(f"{kind.__name__}: expected an object, got {type(value).__name__}")
    hints = _hints(typing.cast(Any, kind))
    if unknown := sorted(value.keys() - hints.keys()):
        raise TypeError(f"{kind.__name__}: nothing is known of {unknown[0]!r}")
    return kind(**{name: _fitted(f"{kind.__name__}.{name}", item, hints[name]) for name, item in value.items()})


@functools.cache
def _hints(kind: Any) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind) if field.init}


def _fitted(name: str, value: Any, kind: Any) -> Any:
    """The value as its type has it: a list becomes a tuple, an object a dataclass."""
    if type(value) is kind or kind is Any:
        return value
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return _any_of(name, value, inner)
    if origin is typing.Literal and any(type(value) is type(choice) and value == choice for choice in inner):
        return value
    if origin in (tuple, list) and isinstance(value, list | tuple):
        if origin is tuple and inner[-1] is not Ellipsis:
            return tuple(_fitted(name, item, part) for item, part in zip(value, inner, strict=True))
        return origin(_fitted(name, item, inner[0]) for item in value)
    if origin is dict and isinstance(value, dict):
        return {_fitted(name, key, inner[0]): _fitted(name, item, inner[1]) for key, item in value.items()}
    if kind is float and type(value) is int:
        return float(value)
    if isinstance(kind, type) and issubclass(kind, Config):
        return kind.from_json(value)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return dataclass_from_json(kind, value)
    raise TypeError(f"{name} must be {getattr(kind, '__name__', kind)}, not {type(value).__name__}")


def _any_of(name: str, value: Any, kinds: tuple[Any, ...]) -> Any:
    if value is None and type(None) in kinds:
        return None
    for kind in kinds:
        try:
            return _fitted(name, value, kind)
        except TypeError as error:
            last = error
    raise last
