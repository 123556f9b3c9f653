"""Config fields as flags of the command line, and flags as configs."""

from __future__ import annotations

import argparse
import typing
from collections.abc import Callable
from typing import Any, TypeVar

from convnet_core.config.fields import Config, ConfigField, describe

_Made = TypeVar("_Made", bound=Config)


def add_flags(parser: argparse.ArgumentParser, title: str, config: type[Config], *, defaults: bool = True) -> None:
    """A flag for every field; one that is not given stays out of the parsed arguments."""
    group = parser.add_argument_group(title)
    for field in describe(config):
        help_text = _help(field) if defaults else _help(field).split(" (default")[0]
        options: dict[str, Any] = {"dest": _dest(config, field), "default": argparse.SUPPRESS, "help": help_text}
        if field.type is bool:
            options["action"] = argparse.BooleanOptionalAction
        elif field.choices:
            options.update(type=type(field.choices[0]), choices=field.choices)
        elif field.type == tuple[str, ...]:
            options.update(type=_words, action="extend", metavar=field.setting.metavar)
        else:
            options.update(type=_parser(field.type), metavar=_metavar(field.type))
        group.add_argument(f"--{field.flag}", **options)


def explicit_fields(args: argparse.Namespace, config: type[Config]) -> dict[tuple[str, ...], Any]:
    """The fields whose flags were given."""
    return {
        field.path: getattr(args, _dest(config, field))
        for field in describe(config)
        if hasattr(args, _dest(config, field))
    }


def apply(args: argparse.Namespace, base: _Made) -> _Made:
    """A config with the given flags in place of its own values. Raises ConfigError."""
    return overlay(base, explicit_fields(args, type(base)))


def overlay(base: _Made, changes: dict[tuple[str, ...], Any]) -> _Made:
    """A config with some fields changed, all at once, so that only the result has to be valid."""
    value = base.to_json()
    for path, item in changes.items():
        inner = value
        for name in path[:-1]:
            inner = inner[name]
        inner[path[-1]] = item
    return type(base).from_json(value)


def _dest(config: type[Config], field: ConfigField) -> str:
    return f"{config.__name__}.{'.'.join(field.path)}"


def _help(field: ConfigField) -> str:
    limits = field.setting
    unit = f", {limits.unit}" if limits.unit else ""
    default = ",".join(map(str, field.default)) if isinstance(field.default, tuple) else field.default
    span = ""
    if limits.low is not None and limits.high is not None and field.type is not bool:
        span = f"; {limits.low:g} to {limits.high:g}"
    shown = f" (default {default}{unit}{span})" if default != "" else ""
    return (limits.help + shown).replace("%", "%%")


def _metavar(kind: Any) -> str:
    if typing.get_origin(kind) is tuple:
        return "N,N,..."
    return {int: "N", float: "X", str: "TEXT"}.get(kind, "VALUE")


def _parser(kind: Any) -> Callable[[str], Any]:
    if typing.get_origin(kind) is tuple:
        return _whole_numbers
    return typing.cast(Callable[[str], Any], kind)


def _words(text: str) -> tuple[str, ...]:
    return tuple(filter(None, text.split(",")))


def _whole_numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: whole numbers, separated by commas") from None
