"""What to do about an error, in the words of the app: the engine's hints name commands and flags, the app has pages."""

from __future__ import annotations

import re

import streamlit as st

from convnet_core.config.fields import describe
from convnet_core.config.stages import (
    BenchmarkConfig,
    CompareConfig,
    ConvertConfig,
    DissectConfig,
    ExportConfig,
    TrainConfig,
)
from convnet_core.errors import ConvNetError

_RULES = (
    (r" ?[(（][^()（）]*(?:--[a-z]|convnet_core )[^()（）]*[)）]", ""),  # how the command line says the words before
    (r"[:：] ?`(?:python -m convnet_core|train|export|convert) [^`]*`", ""),
    (r"`(?:python -m convnet_core )?train --resume[^`]*`", "“Resume the training”"),
    (r"`(?:python -m convnet_core runs|doctor)`", "Home"),
    (r"`convert`", "the page Convert"),
    (r"--range '(.*?)=LOW,HIGH'.*", r"set the range of “\1”, or choose a file with your own values"),
)
"""What the app says instead of a part of a hint. Hints are translated: the rules go by their flags and commands."""
_OWN_PAGES = (
    (r"`train (?:--resume|--run)|--resume|--device", "train"),
    (
        r"`(?:convert --onnx|export --factory)[^`]* --run DIR`|[(（]`[^`]*convert --onnx FILE`|convnet_core runs`",
        "home",
    ),
    (r"--(?:range|input)\b", "compare"),
    (r"--data(?:-dir)?\b", "data"),
)
"""The page where a hint can be followed, if its commands and flags alone do not tell."""
_FLAG = re.compile(r"--([a-z][a-z0-9-]*)(?: ('[^']*'|[^\s,;`()-][^\s,;`()]*))?")
_COMMAND = re.compile(
    r"`?(?:python -m convnet_core )?\b(train|export|convert|compare|dissect|benchmark)((?: " + _FLAG.pattern + r")+)`?"
)
_PAGES_OWN = ("run", "onnx", "resume")
"""Flags that a page sets by itself."""
_PAGES = {
    field.flag: page
    for config, page in (
        (DissectConfig, "dissect"),
        (BenchmarkConfig, "benchmark"),
        (CompareConfig, "compare"),
        (ConvertConfig, "convert"),
        (ExportConfig, "export"),
        (TrainConfig, "train"),
    )
    for field in describe(config)
}
"""The page where the setting of a flag is."""


def in_the_app(hint: str) -> str:
    """A hint with pages in place of commands, and names of fields in place of flags."""
    for pattern, words in _RULES:
        hint = re.sub(pattern, words, hint)
    text = _FLAG.sub(lambda flag: _words(*flag.groups()), _COMMAND.sub(_page, hint))
    return f"use {text}" if text.startswith("the page") else text


def page_of(hint: str) -> str:
    """The name of the page where a hint can be followed; empty if there is none."""
    if page := next((page for pattern, page in _OWN_PAGES if re.search(pattern, hint)), ""):
        return page
    if command := _COMMAND.search(hint):
        return command[1]
    return next((_PAGES[flag] for flag, _ in _FLAG.findall(hint) if flag in _PAGES), "")


def text_of(error: ConvNetError) -> str:
    """An error with its remedy, for a message box."""
    return f"{error}" + (f"\n\n{in_the_app(error.hint)}" if error.hint else "")


def show_link(hint: str) -> None:
    """A link to the page where a hint can be followed, unless it is the one that is shown."""
    page = page_of(hint)
    if page and page != (st.session_state.get("page") or "home"):
        st.page_link(f"pages/{page}.py", label=f"Go to {page.title()}", icon=":material/arrow_forward:")


def _page(command: re.Match[str]) -> str:
    flags = [_words(name, value) for name, value in _FLAG.findall(command[2]) if name not in _PAGES_OWN]
    return f"the page {command[1].title()}" + (f" with {', '.join(flags)}" if flags else "")


def _words(name: str, value: str | None) -> str:
    return f"“{name.replace('-', ' ')}”" + (f" {value}" if value else "")
