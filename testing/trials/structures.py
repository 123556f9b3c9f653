"""Damaged files made of a valid one: cut, with turned bits, with wrong values in the places of right ones."""

from __future__ import annotations

import copy
import json
import random
import zlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from testing.trials.parsers import Parser

_DEEP = 980
"""Lists in lists: Python's parser takes about as many, and what looks at them then has no room left."""

_GONE = object()
_ODD: tuple[Any, ...] = (
    _GONE, None, True, -1, 10**30, 0.5, float("nan"), float("inf"), "", "a", "\0", "\ud800", "../../etc", "x" * 300,
    [], ["a"], [None], [[]], {}, {"a": 1}, {"a": None}, {"\0": "a", "": {}},
)  # fmt: skip


def inputs(parser: Parser, flips: int) -> Iterator[tuple[str, bytes]]:
    """The kind and the bytes of every file to try, the same each time."""
    seed = parser.seed()
    for length in range(len(seed)):
        yield "cut", seed[:length]
    for content in parser.nasty():
        yield "odd", content
    if parser.is_json:
        for content in _swapped(seed):
            yield "odd", content
    draw = random.Random(zlib.crc32(parser.name.encode()))
    for _ in range(flips):
        changed = bytearray(seed)
        for _ in range(draw.choice((1, 1, 1, 2, 4, 8))):
            changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
        yield "flip", bytes(changed)


def _documents(seed: bytes) -> list[Any]:
    """What is in a file of JSON, or of JSON lines."""
    return [json.loads(line) for line in seed.splitlines()]


def _bytes(documents: list[Any]) -> bytes:
    return b"\n".join(json.dumps(item).encode() for item in documents) + b"\n"


def _swapped(seed: bytes) -> Iterator[bytes]:
    """Each odd value in every place of a document, and documents that are no objects."""
    documents = _documents(seed)
    for place in _places(documents):
        for value in _ODD:
            yield _bytes(_with(documents, place, value))
        for depth in (200, _DEEP, 100_000):
            held = _bytes(_with(documents, place, "HERE"))
            yield held.replace(b'"HERE"', b"[" * depth + b"]" * depth)
    yield from (b"\xef\xbb\xbf" + seed, seed.decode().encode("utf-16"), b"\xff" + seed, b"1" * 5000 + b"\n", b"\0")


def _places(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if here:
        yield here
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _places(item, (*here, key))


def _with(documents: list[Any], place: tuple[Any, ...], value: Any) -> list[Any]:
    """A copy with another value at a place, or with nothing there."""
    made = inner = copy.deepcopy(documents)
    for key in place[:-1]:
        inner = inner[key]
    if value is _GONE:
        del inner[place[-1]]
    else:
        inner[place[-1]] = copy.deepcopy(value)
    return made


def each(seed: bytes, examples: int, try_it: Callable[[bytes], None]) -> None:
    """Documents that Hypothesis makes of a valid one: up to three places with other values or other keys."""
    documents = _documents(seed)
    places = list(_places(documents))
    keys = st.sampled_from(sorted({str(key) for place in places for key in place})) | st.text(max_size=4)
    plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | keys
    values = st.recursive(
        plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=6
    )

    @settings(
        max_examples=examples, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(st.lists(st.tuples(st.sampled_from(places), st.just(_GONE) | values), min_size=1, max_size=3), st.booleans())
    def one(changes: list[tuple[Any, Any]], cut: bool) -> None:
        made = documents
        for place, value in changes:
            try:
                made = _with(made, place, value)
            except (KeyError, IndexError, TypeError):
                continue  # an earlier change took this place away
        content = _bytes(made)
        try_it(content[: len(content) // 2] if cut and len(changes) == 3 else content)

    one()
