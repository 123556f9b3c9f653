"""The texts that people read, in their language.

The source is English: `_("Convert {name}", name=name)` looks the literal up in the catalogs of the current language
and fills in the values. The catalogs are gettext files, `locale/<language>/LC_MESSAGES/*.po`: `app.po` for the app's
pages, `core.po` for this package. A text that they lack stays English.

The current language is the first of: `use` around the code; the session that the app serves in this thread; the
environment variable CONVNET_LANGUAGE, which the app passes to its jobs; English. So call `_` when a text is shown,
never at import.
"""

from __future__ import annotations

import contextlib
import contextvars
import gettext
import io
import os
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

LANGUAGES = {"en": "English", "zh": "中文"}
"""Each language's name in itself."""
LOCALE = Path(__file__).parent / "locale"
VARIABLE = "CONVNET_LANGUAGE"
_used: contextvars.ContextVar[str | None] = contextvars.ContextVar("language", default=None)
_sessions: list[Callable[[], str | None]] = []
_P = ParamSpec("_P")
_R = TypeVar("_R")


def current() -> str:
    """The current language, a key of LANGUAGES."""
    session = _sessions[-1]() if _sessions and not _used.get() else None
    return _used.get() or session or match(os.environ.get(VARIABLE)) or "en"


def match(locale: str | None) -> str | None:
    """The language of a locale such as zh-CN or zh_CN.UTF-8; None if it is not one of LANGUAGES."""
    name = (locale or "").replace("_", "-").partition("-")[0].lower()
    return name if name in LANGUAGES else None


@contextlib.contextmanager
def use(language: str) -> Iterator[None]:
    """Make this the current language inside the block, in this thread."""
    token = _used.set(language)
    try:
        yield
    finally:
        _used.reset(token)


def follow_session(language: Callable[[], str | None]) -> None:
    """Ask this function for the language of the session that this thread serves; None outside of a session."""
    _sessions[:] = [language]


def keep(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """The function in today's language, for another thread: a new thread knows neither `use` nor the session."""
    language = current()

    def run(*args: _P.args, **options: _P.kwargs) -> _R:
        with use(language):
            return function(*args, **options)

    return run


def cache_by_language(size: int) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """`lru_cache` for a function that makes texts: the language is a part of its key."""

    def decorate(function: Callable[_P, _R]) -> Callable[_P, _R]:
        @lru_cache(size)
        def cached(language: str, *args: Any, **options: Any) -> _R:
            return function(*args, **options)

        @wraps(function)
        def call(*args: Any, **options: Any) -> _R:
            return cached(current(), *args, **options)

        return call

    return decorate


def translate(text: str, /, **values: object) -> str:
    """The text in the current language, with its `{placeholders}` filled in if there are values."""
    translation = _translations(current()).gettext(text)
    return translation.format(**values) if values else translation


_ = translate


def plural(one: str, many: str, count: int, /, **values: object) -> str:
    """The form of a text that fits a count, with `{count}` filled in: 1 node, 1,200 nodes."""
    return _translations(current()).ngettext(one, many, count).format(count=number(count), **values)


def number(value: float, digits: int = 0) -> str:
    """A number with this many decimals, as the language writes it: 12,345.6."""
    if current() == "en":
        return f"{value:,.{digits}f}"
    from babel.numbers import format_decimal  # not at the top: English needs no Babel

    return format_decimal(Decimal(f"{value:.{digits}f}"), f"#,##0.{'0' * digits}", current())


def N_(text: str) -> str:
    """Mark a literal for the catalogs where it is too early to translate it, as in a table of a module."""
    return text


@lru_cache
def _translations(language: str) -> gettext.NullTranslations:
    """The catalogs of a language. Reading them takes a tenth of a second."""
    found = gettext.NullTranslations()
    for path in sorted((LOCALE / language / "LC_MESSAGES").glob("*.po")):
        from babel.messages.mofile import write_mo  # not at the top: English needs no Babel
        from babel.messages.pofile import read_po

        compiled = io.BytesIO()
        write_mo(compiled, read_po(io.BytesIO(path.read_bytes()), locale=language))
        compiled.seek(0)
        catalog = gettext.GNUTranslations(compiled)
        catalog.add_fallback(found)
        found = catalog
    return found
