"""Text from jinja2 templates."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convnet_core.language import _, current, plural

if TYPE_CHECKING:
    import jinja2


@functools.cache
def open_template(path: Path, **filters: Callable[[Any], str]) -> jinja2.Template:
    """The template in a file with these filters. Values are escaped if its name ends in `.html.j2`.

    It can call `_` and `plural`, and `language` for the name of the current language.
    """
    import jinja2  # not at the top: modules that write reports also read them, for which pages need no jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(path.parent),
        autoescape=path.name.endswith(".html.j2"),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(filters)
    environment.globals.update(_=_, plural=plural, language=current)
    return environment.get_template(path.name)
