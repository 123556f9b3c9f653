"""What to do about an error, in the words of the app: the engine's hints name commands and flags, the app has pages."""

from __future__ import annotations

import re

import streamlit as st

from convnet_core.common.formatting import list_words
from convnet_core.config.fields import describe
from convnet_core.config.setting_names import setting_name
from convnet_core.config.stages import (
    BenchmarkConfig,
    CompareConfig,
    ConvertConfig,
    DissectConfig,
    ExportConfig,
    TrainConfig,
)
from convnet_core.errors import ConvNetError
from convnet_core.language import N_, _
from pages.components.markdown import without_links
from pages.components.names import page_title

_RULES = (
    (r" ?[(（][^()（）]*(?:--[a-z]|convnet_core )[^()（）]*[)）]", ""),  # how the command line says the words before
    (r"[:：] ?`(?:python -m convnet_core|train|export|convert) [^`]*`", ""),
    (r"`(?:python -m convnet_core )?train --resume[^`]*`", N_("“Resume the training”")),
    (r"`(?:python -m convnet_core runs|doctor)`", N_("Home")),
    (r"`convert`", N_("the page Convert")),
    (r"--range '(.*?)=LOW,HIGH'.*", N_(r"set the range of “\1”, or choose a file with your own values")),
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
        hint = re.sub(pattern, words and _(words), hint)
    text = _FLAG.sub(lambda flag: _words(*flag.groups()), _COMMAND.sub(_page, hint))
    is_page_alone = _COMMAND.match(hint)
    return without_links(_("use {page}", page=text) if is_page_alone else text)


def page_of(hint: str) -> str:
    """The name of the page where a hint can be followed; empty if there is none."""
    if page := next((page for pattern, page in _OWN_PAGES if re.search(pattern, hint)), ""):
        return page
    if command := _COMMAND.search(hint):
        return command[1]
    return next((_PAGES[flag] for flag, _value in _FLAG.findall(hint) if flag in _PAGES), "")


def text_of(error: ConvNetError) -> str:
    """An error with its remedy, for a message box."""
    message = without_links(str(error))
    return f"{message}\n\n{in_the_app(error.hint)}" if error.hint else message


def show_link(hint: str) -> None:
    """A link to the page where a hint can be followed, unless it is the one that is shown."""
    page = page_of(hint)
    if page and page != (st.session_state.get("page") or "home"):
        st.page_link(
            f"pages/{page}.py", label=_("Go to {page}", page=page_title(page)), icon=":material/arrow_forward:"
        )


def _page(command: re.Match[str]) -> str:
    flags = [_words(name, value) for name, value in _FLAG.findall(command[2]) if name not in _PAGES_OWN]
    page = page_title(command[1])
    if flags:
        return _("the page {page} with {settings}", page=page, settings=list_words(flags))
    return _("the page {page}", page=page)


def _words(name: str, value: str | None) -> str:
    setting = _("“{setting}”", setting=setting_name(name))
    return f"{setting} {value}" if value else setting
