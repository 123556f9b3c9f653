"""Turn a config into command-line arguments."""

from __future__ import annotations

from convnet_core.config.fields import Config, describe, value_at


def arguments(config: Config, base: Config) -> list[str]:
    """The flags that turn the config `base` into `config`: the reverse of `apply`."""
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
