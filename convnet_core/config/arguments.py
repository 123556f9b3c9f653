"""A config as command-line arguments."""

from __future__ import annotations

from convnet_core.config.fields import Config, describe, value_at


def arguments(config: Config, base: Config) -> list[str]:
    """The flags that make one config of another of its class: the reverse of `apply`."""
    found = []
    for field in describe(type(config)):
        value = value_at(config, field.path)
        if value == value_at(base, field.path):
            continue
        if field.type is bool:
            found.append(f"--{'' if value else 'no-'}{field.flag}")
        else:
            text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            found += [f"--{field.flag}", text]
    return found
