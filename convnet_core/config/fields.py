"""The machinery under `config.py`: frozen dataclasses that validate themselves and travel as JSON.

A field made with `setting` carries its help text and its range. The command line makes a flag of
it and the app a widget, both by walking `describe`; nothing is written twice.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import reprlib
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

from convnet_core.errors import ConfigError

_SHORT = reprlib.Repr()
"""Of values in messages, which have one line."""
_SHORT.maxstring = _SHORT.maxother = 100
_SHORT.maxtuple = 20


@dataclass(frozen=True)
class Setting:
    """What people are told about a field, and the range that it must lie in (both ends included)."""

    help: str
    low: float | None = None
    high: float | None = None
    unit: str = ""
    flag: str = ""
    metavar: str = ""


def setting(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    unit: str = "",
    flag: str = "",
    metavar: str = "",
) -> Any:
    """A dataclass field with a `Setting`; `flag` names its flag where the field's name will not do, `metavar` stands
    for its value in the help text.
    """
    return dataclasses.field(default=default, metadata={"setting": Setting(help, low, high, unit, flag, metavar)})


@dataclass(frozen=True)
class Described:
    """One field of a config, found by `describe`."""

    path: tuple[str, ...]
    type: Any
    default: Any
    setting: Setting

    @property
    def flag(self) -> str:
        """The name of its flag, without the dashes in front."""
        return self.setting.flag or self.path[-1].replace("_", "-")

    @property
    def choices(self) -> tuple[Any, ...]:
        """The allowed values, where the type is a `Literal`."""
        return typing.get_args(self.type) if typing.get_origin(self.type) is typing.Literal else ()


class Config:
    """Base of the configs: validated when made, so that code behind it trusts every value."""

    def __post_init__(self) -> None:
        for field, kind in _fields(type(self)):
            value = getattr(self, field.name)
            if isinstance(kind, type) and issubclass(kind, Config):
                if not isinstance(value, kind):
                    raise ConfigError(f"{field.name}: expected {kind.__name__}, got {_SHORT.repr(value)}")
                continue
            checked = _checked(field.name.replace("_", " "), value, kind, field.metadata["setting"], field.default)
            object.__setattr__(self, field.name, checked)

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed, validated again."""
        return dataclasses.replace(self, **changes)  # type: ignore[type-var]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; tuples become lists."""
        return dataclasses.asdict(self)  # type: ignore[call-overload, no-any-return]

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """The config that `to_json` wrote. Raises ConfigError on an unknown field or a wrong value."""
        if not isinstance(value, dict):
            raise ConfigError(f"{cls.__name__}: expected an object, got {type(value).__name__}")
        kinds = {field.name: kind for field, kind in _fields(cls)}
        unknown = sorted(set(value) - set(kinds))
        if unknown:
            raise ConfigError(f"{cls.__name__}: unknown setting {_SHORT.repr(unknown)[1:-1]}")
        made = {}
        for name, item in value.items():
            kind = kinds[name]
            nested = isinstance(kind, type) and issubclass(kind, Config)
            made[name] = kind.from_json(item) if nested else tuple(item) if isinstance(item, list) else item
        return cls(**made)


def describe(config: type[Config], prefix: tuple[str, ...] = ()) -> Iterator[Described]:
    """Every field of a config and of the configs inside it, in the order of their definition."""
    for field, kind in _fields(config):
        path = (*prefix, field.name)
        if isinstance(kind, type) and issubclass(kind, Config):
            yield from describe(kind, path)
        else:
            yield Described(path, kind, field.default, field.metadata["setting"])


def value_at(config: Config, path: tuple[str, ...]) -> Any:
    """The value at a path that `describe` gave."""
    value: Any = config
    for name in path:
        value = getattr(value, name)
    return value


def _fields(config: type[Config]) -> list[tuple[dataclasses.Field[Any], Any]]:
    hints = typing.get_type_hints(config)
    return [(field, hints[field.name]) for field in dataclasses.fields(config)]  # type: ignore[arg-type]


def _checked(name: str, value: Any, kind: Any, limits: Setting, default: Any = None) -> Any:
    """The value as the field's own type; raises ConfigError where it is of another or out of range."""
    origin = typing.get_origin(kind)
    if origin is typing.Literal:
        choices = typing.get_args(kind)
        if value not in choices:
            raise ConfigError(f"{name} must be one of {', '.join(map(str, choices))}, not {_SHORT.repr(value)}")
        return value
    if origin is tuple:
        if value == () == default:
            return value
        if not isinstance(value, tuple) or not value:
            raise ConfigError(f"{name} must be a list of at least one value, not {_SHORT.repr(value)}")
        return tuple(_checked(name, item, typing.get_args(kind)[0], limits) for item in value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):  # a whole number beyond all floats stays one, and is refused
            value = float(value)
    if type(value) is not kind:
        raise ConfigError(f"{name} must be of type {kind.__name__}, not {_SHORT.repr(value)}")
    if kind in (int, float):
        _check_range(name, value, limits)
    return value


def _check_range(name: str, value: float, limits: Setting) -> None:
    low, high = limits.low, limits.high
    inside = (
        (isinstance(value, int) or math.isfinite(value))
        and (low is None or value >= low)
        and (high is None or value <= high)
    )
    if inside:
        return
    if low is not None and high is not None:
        allowed = f"from {low:g} to {high:g}"
    elif low is not None:
        allowed = f"{low:g} or more"
    else:
        allowed = "finite" if high is None else f"{high:g} or less"
    raise ConfigError(f"{name} must be {allowed}{' ' + limits.unit if limits.unit else ''}, not {_SHORT.repr(value)}")
