"""Hints for readers of the app: the engine's hints name commands and flags, the app has pages and fields."""

from __future__ import annotations

import re

_FLAG = re.compile(r"--([a-z][a-z0-9-]*)(?: ('[^']*'|[^\s,;`()-][^\s,;`()]*))?")
_COMMAND = re.compile(
    r"`?(?:python -m convnet_core )?\b(train|export|convert|compare|dissect|benchmark)((?: " + _FLAG.pattern + r")+)`?"
)
_PAGES_OWN = ("run", "onnx", "resume")
"""Flags that a page sets by itself."""


def in_the_app(hint: str) -> str:
    """A hint with pages in place of commands, and names of fields in place of flags.

    What only the command line can do stays as it is.
    """
    if "command line" in hint:
        return hint
    text = _FLAG.sub(lambda flag: _words(*flag.groups()), _COMMAND.sub(_page, hint))
    return f"use {text}" if text.startswith("the page") else text


def _page(command: re.Match[str]) -> str:
    flags = [_words(name, value) for name, value in _FLAG.findall(command[2]) if name not in _PAGES_OWN]
    return f"the page {command[1].title()}" + (f" with {', '.join(flags)}" if flags else "")


def _words(name: str, value: str | None) -> str:
    return f"“{name.replace('-', ' ')}”" + (f" {value}" if value else "")
