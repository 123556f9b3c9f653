"""Base class of the configs: frozen dataclasses that validate themselves and convert to and from JSON.

A field declared with `setting` has a help text and a range. The command line turns each field
into a flag and the app turns it into a widget; both iterate over `describe`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
import reprlib
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

from convnet_core.config.setting_names import setting_name, unit_name
from convnet_core.errors import ConfigError
from convnet_core.language import _

_SHORT = reprlib.Repr()
"""Shortens values in error messages, which are one line long."""
_SHORT.maxstring = _SHORT.maxother = 100
_SHORT.maxtuple = 20


@dataclass(frozen=True)
class Setting:
    """A field's help text, and its range (both ends included). Texts are English; the app translates them."""

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
    """A dataclass field with a `Setting`.

    `help` must be a literal: the catalogs list it. `flag` is its command-line flag if that differs from the field's
    name; `metavar` stands for its value in the help.
    """
    return dataclasses.field(default=default, metadata={"setting": Setting(help, low, high, unit, flag, metavar)})


@dataclass(frozen=True)
class ConfigField:
    """One field of a config, as `describe` returns it."""

    path: tuple[str, ...]
    type: Any
    default: Any
    setting: Setting

    @property
    def flag(self) -> str:
        """The name of the command-line flag, without the leading dashes."""
        return self.setting.flag or self.path[-1].replace("_", "-")

    @property
    def choices(self) -> tuple[Any, ...]:
        """The allowed values if the type is a `Literal`, else empty."""
        return typing.get_args(self.type) if typing.get_origin(self.type) is typing.Literal else ()


class Config:
    """Base class of the configs. The constructor validates all fields; raises ConfigError."""

    def __post_init__(self) -> None:
        for field, kind in _fields(type(self)):
            value = getattr(self, field.name)
            if isinstance(kind, type) and issubclass(kind, Config):
                if not isinstance(value, kind):
                    raise ConfigError(
                        _(
                            "{name}: expected {type}, got {value}",
                            name=field.name,
                            type=kind.__name__,
                            value=_SHORT.repr(value),
                        )
                    )
                continue
            valid = _validate(field.name.replace("_", " "), value, kind, field.metadata["setting"], field.default)
            object.__setattr__(self, field.name, valid)

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed; validates them again."""
        return dataclasses.replace(self, **changes)  # type: ignore[type-var]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; tuples become lists."""
        return dataclasses.asdict(self)  # type: ignore[call-overload, no-any-return]

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Parse what `to_json` wrote. Raises ConfigError for an unknown field or a wrong value."""
        if not isinstance(value, dict):
            raise ConfigError(_("{name}: expected an object, got {type}", name=cls.__name__, type=type(value).__name__))
        kinds = {field.name: kind for field, kind in _fields(cls)}
        unknown = sorted(set(value) - set(kinds))
        if unknown:
            raise ConfigError(
                _("{name}: unknown setting {setting}", name=cls.__name__, setting=_SHORT.repr(unknown)[1:-1])
            )
        values = {}
        for name, item in value.items():
            kind = kinds[name]
            nested = isinstance(kind, type) and issubclass(kind, Config)
            values[name] = kind.from_json(item) if nested else tuple(item) if isinstance(item, list) else item
        return cls(**values)


def describe(config: type[Config], prefix: tuple[str, ...] = ()) -> Iterator[ConfigField]:
    """All fields of a config and of the configs nested in it, in order of definition."""
    for field, kind in _fields(config):
        path = (*prefix, field.name)
        if isinstance(kind, type) and issubclass(kind, Config):
            yield from describe(kind, path)
        else:
            yield ConfigField(path, kind, field.default, field.metadata["setting"])


def value_at(config: Config, path: tuple[str, ...]) -> Any:
    """The value of the field at `ConfigField.path`."""
    value: Any = config
    for name in path:
        value = getattr(value, name)
    return value


def list_changes(before: Config, after: Config) -> tuple[str, ...]:
    """The settings that differ between two configs of one class, as in "learning rate 0.006 → 0.02"."""
    values = ((field, value_at(before, field.path), value_at(after, field.path)) for field in describe(type(before)))
    return tuple(f"{setting_name(field.flag)} {old} → {new}" for field, old, new in values if old != new)


_type_hints = functools.cache(typing.get_type_hints)  # 0.1 ms, and Home reads the config of every run


def _fields(config: type[Config]) -> list[tuple[dataclasses.Field[Any], Any]]:
    hints = _type_hints(config)  # type: ignore[arg-type]  # mypy 2.4 takes a frozen dataclass for unhashable
    return [(field, hints[field.name]) for field in dataclasses.fields(config)]  # type: ignore[arg-type]


def _validate(name: str, value: Any, kind: Any, limits: Setting, default: Any = None) -> Any:
    """The value, with an int converted for a float field. Raises ConfigError if its type or range is wrong."""
    origin = typing.get_origin(kind)
    if origin is typing.Literal:
        choices = typing.get_args(kind)
        if value not in choices:
            raise ConfigError(
                _(
                    "{name} must be one of {choices}, not {value}",
                    name=_(name),
                    choices=", ".join(map(str, choices)),
                    value=_SHORT.repr(value),
                )
            )
        return value
    if origin is tuple:
        if value == () == default:
            return value
        if not isinstance(value, tuple) or not value:
            raise ConfigError(
                _("{name} must be a list of at least one value, not {value}", name=_(name), value=_SHORT.repr(value))
            )
        return tuple(_validate(name, item, typing.get_args(kind)[0], limits) for item in value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):  # an int too large for a float stays an int, which is an error below
            value = float(value)
    if type(value) is not kind:
        raise ConfigError(
            _("{name} must be of type {type}, not {value}", name=_(name), type=kind.__name__, value=_SHORT.repr(value))
        )
    if kind in (int, float):
        _check_range(name, value, limits)
    return value


def _check_range(name: str, value: float, limits: Setting) -> None:
    low, high = limits.low, limits.high
    in_range = (
        (isinstance(value, int) or math.isfinite(value))
        and (low is None or value >= low)
        and (high is None or value <= high)
    )
    if in_range:
        return
    if low is not None and high is not None:
        allowed = _("from {low:g} to {high:g}", low=low, high=high)
    elif low is not None:
        allowed = _("{low:g} or more", low=low)
    else:
        allowed = _("finite") if high is None else _("{high:g} or less", high=high)
    if limits.unit:
        allowed = f"{allowed} {unit_name(limits.unit)}"
    raise ConfigError(
        _("{name} must be {allowed}, not {value}", name=_(name), allowed=allowed, value=_SHORT.repr(value))
    )
