"""Format numbers for reports, pages and the command line."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence
from datetime import datetime

from convnet_core.language import _, current, number, plural


def format_count(count: int, noun: str) -> str:
    """A count with its noun, whose plural ends in s: 1 node, 1,200 nodes."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def capitalized(text: str) -> str:
    """A text as a line of its own, with a capital letter where the language has them. Keeps the rest, as in MNIST."""
    return text[:1].upper() + text[1:]


def format_size(count: int) -> str:
    """A number of bytes: 505 kB."""
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB" if count >= 1000 else f"{count} B"


def format_number(value: float, digits: int = 0) -> str:
    """A number with this many decimals, as the language writes it: 12,345.6."""
    return number(value, digits)


def format_percent(fraction: float, digits: int = 1) -> str:
    """A fraction as a percentage: 97.7 %."""
    return _("{number} %", number=format_number(100 * fraction, digits))


def format_day(day: datetime, *, with_year: bool) -> str:
    """A date in short: Nov 29, 2025, or Nov 29."""
    if current() == "en":
        return f"{day:%b} {day.day}" + (f", {day.year}" if with_year else "")
    from babel.dates import format_skeleton  # not at the top: English needs no Babel

    return str(format_skeleton("yMMMd" if with_year else "MMMd", day, locale=current()))


def format_moment(moment: datetime) -> str:
    """A date and a time: 2026-11-30 15:30."""
    if current() == "en":
        return f"{moment:%Y-%m-%d %H:%M}"
    from babel.dates import format_datetime  # not at the top: English needs no Babel

    return format_datetime(moment, "short", locale=current())


def format_error(value: float | str | None) -> str:
    """A numeric error: 4.8e-06, or 2.6. Accepts infinity as a string, the way JSON files store it."""
    if value is None or value == 0:
        return "–" if value is None else "0"
    return f"{float(value):.2g}" if 0.1 <= float(value) < 100 else f"{float(value):.1e}"


def format_share(value: float | None) -> str:
    """A fraction as a percentage: 97.66 %."""
    return "–" if value is None else format_percent(value, 2)


def format_least_share(value: float | None) -> str:
    """The same, never more than the fraction: 99.99 % for 0.99996."""
    # 1e4 * 0.9951 can be a little below 9,951.
    return "–" if value is None else format_percent(math.floor(1e4 * value + 1e-6) / 1e4, 2)


def join_words(words: Sequence[str]) -> str:
    """Words as a list in a sentence: a, b and c."""
    if len(words) == 1:
        return words[0]
    return _("{words} and {last}", words=list_words(words[:-1]), last=words[-1])


def list_words(words: Iterable[str]) -> str:
    """Words as a plain list: a, b, c."""
    return _(", ").join(words)


def first_words(words: Sequence[str], most: int) -> str:
    """The first words of a list, and how many more there are: a, b and 3 more."""
    shown = list_words(words[:most])
    return shown if len(words) <= most else _("{words} and {count} more", words=shown, count=len(words) - most)


def join_parts(parts: Iterable[str]) -> str:
    """Parts of one sentence: a, b, c."""
    return functools.reduce(lambda first, second: _("{first}, {second}", first=first, second=second), parts)


def join_clauses(clauses: Iterable[str]) -> str:
    """Clauses as one sentence: a; b; c."""
    return _("; ").join(clauses)


def sentences(first: str, second: str) -> str:
    """Two sentences in a row; either may be empty."""
    return _("{first} {second}", first=first, second=second) if first and second else first or second


def format_duration(seconds: float) -> str:
    """A rough duration: 6 s, 3 minutes."""
    return (
        _("{seconds} s", seconds=max(1, round(seconds)))
        if seconds < 90
        else plural("{count} minute", "{count} minutes", round(seconds / 60))
    )
