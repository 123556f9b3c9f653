"""Long lines, as ruff's formatter breaks them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

_WIDTH = 120
INDENT = 4


def wrap(line: str, depth: int) -> list[str]:
    """A line, or several if it is too long at this depth: the arguments of its longest call on lines of their own."""
    width = _WIDTH - INDENT * depth
    if len(line) <= width:
        return [line]
    start, stop = _longest_brackets(line)
    head, inner, tail = line[: start + 1], line[start + 1 : stop], line[stop:]
    if len(inner) <= width - INDENT and not line.startswith("def "):
        return [head, f"{' ' * INDENT}{inner}", tail]
    return [head, *(f"{' ' * INDENT}{item}," for item in _split(inner)), tail]


def _longest_brackets(line: str) -> tuple[int, int]:
    """The places of the outermost pair of parentheses with the most between them."""
    pairs, depth, start = [], 0, 0
    for place, letter in _outside_strings(line):
        if letter in "([":
            depth, start = depth + 1, start if depth else place
        elif letter in ")]":
            depth -= 1
            if not depth:
                pairs.append((start, place))
    return max(pairs, key=lambda pair: pair[1] - pair[0])


def _split(text: str) -> list[str]:
    """The arguments of a call."""
    ends, depth = [-1], 0
    for place, letter in _outside_strings(text):
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and not depth:
            ends.append(place)
    return [text[start + 1 : stop].strip() for start, stop in itertools.pairwise([*ends, len(text)])]


def _outside_strings(text: str) -> Iterator[tuple[int, str]]:
    """The letters that are code, with their places: a name from a file may hold any bracket, comma or quote."""
    quote, escaped = "", False
    for place, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote and not escaped else quote
            escaped = letter == "\\" and not escaped
        elif letter in "\"'":
            quote = letter
        else:
            yield place, letter
