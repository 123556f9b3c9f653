"""Configs as command-line flags: the flags of each field, the config that flags describe, and the flags of a config."""

from __future__ import annotations

import argparse
import typing
from collections.abc import Callable
from typing import Any, TypeVar

from convnet_core.config.fields import Config, ConfigField, describe, value_at

_Config = TypeVar("_Config", bound=Config)


def add_config_flags(
    parser: argparse.ArgumentParser, title: str, config: type[Config], *, defaults: bool = True
) -> None:
    """Add a flag for every field. A flag that is not passed stays out of the parsed arguments."""
    group = parser.add_argument_group(title)
    for field in describe(config):
        help_text = _help(field) if defaults else _help(field).split(" (default")[0]
        options: dict[str, Any] = {"dest": _dest(config, field), "default": argparse.SUPPRESS, "help": help_text}
        if field.type is bool:
            options["action"] = argparse.BooleanOptionalAction
        elif field.choices:
            options.update(type=type(field.choices[0]), choices=field.choices)
        elif field.type == tuple[str, ...]:
            options.update(type=_parse_words, action="extend", metavar=field.setting.metavar)
        else:
            options.update(type=_parser(field.type), metavar=_metavar(field.type))
        group.add_argument(f"--{field.flag}", **options)


def explicit_fields(args: argparse.Namespace, config: type[Config]) -> dict[tuple[str, ...], Any]:
    """The values of the flags that were passed, by field path."""
    return {
        field.path: getattr(args, _dest(config, field))
        for field in describe(config)
        if hasattr(args, _dest(config, field))
    }


def apply_flags(args: argparse.Namespace, base: _Config) -> _Config:
    """The config with the flags that were passed. Raises ConfigError."""
    return replace_fields(base, explicit_fields(args, type(base)))


def replace_fields(base: _Config, changes: dict[tuple[str, ...], Any]) -> _Config:
    """The config with some fields changed in one step: only the result has to be valid. Raises ConfigError."""
    content = base.to_json()
    for path, value in changes.items():
        inner = content
        for name in path[:-1]:
            inner = inner[name]
        inner[path[-1]] = value
    return type(base).from_json(content)


def arguments(config: Config, base: Config) -> list[str]:
    """The flags that turn the config `base` into `config`: the reverse of `apply_flags`."""
    flags = []
    for field in describe(type(config)):
        value = value_at(config, field.path)
        if value == value_at(base, field.path):
            continue
        if field.type is bool:
            flags.append(f"--{'' if value else 'no-'}{field.flag}")
        else:
            text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            flags += [f"--{field.flag}", text]
    return flags


def _dest(config: type[Config], field: ConfigField) -> str:
    return f"{config.__name__}.{'.'.join(field.path)}"


def _help(field: ConfigField) -> str:
    setting = field.setting
    unit = f", {setting.unit}" if setting.unit else ""
    default = ",".join(map(str, field.default)) if isinstance(field.default, tuple) else field.default
    limits = ""
    if setting.low is not None and setting.high is not None and field.type is not bool:
        limits = f"; {setting.low:g} to {setting.high:g}"
    suffix = f" (default {default}{unit}{limits})" if default != "" else ""
    return (setting.help + suffix).replace("%", "%%")


def _metavar(kind: Any) -> str:
    if typing.get_origin(kind) is tuple:
        return "N,N,..."
    return {int: "N", float: "X", str: "TEXT"}.get(kind, "VALUE")


def _parser(kind: Any) -> Callable[[str], Any]:
    if typing.get_origin(kind) is tuple:
        return _parse_integers
    return typing.cast(Callable[[str], Any], kind)


def _parse_words(text: str) -> tuple[str, ...]:
    return tuple(filter(None, text.split(",")))


def _parse_integers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected integers separated by commas, not {text!r}") from None
