"""Damaged copies of a valid file: cut short, with flipped bits, or with wrong values."""

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
"""Depth of nested lists: near the limit of Python's parser, which leaves little stack for the code that reads them."""

_GONE = object()
_ODD: tuple[Any, ...] = (
    _GONE, None, True, -1, 10**30, 0.5, float("nan"), float("inf"), "", "a", "\0", "\ud800", "../../etc", "x" * 300,
    [], ["a"], [None], [[]], {}, {"a": 1}, {"a": None}, {"\0": "a", "": {}},
)  # fmt: skip


def inputs(parser: Parser, flips: int) -> Iterator[tuple[str, bytes]]:
    """The kind and the bytes of every file to try; the same on each call."""
    seed = parser.seed()
    for length in range(len(seed)):
        yield "cut", seed[:length]
    for content in parser.nasty():
        yield "odd", content
    if parser.is_json:
        for content in _replaced_documents(seed):
            yield "odd", content
    rng = random.Random(zlib.crc32(parser.name.encode()))
    for _ in range(flips):
        changed = bytearray(seed)
        for _ in range(rng.choice((1, 1, 1, 2, 4, 8))):
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
        yield "flip", bytes(changed)


def _documents(seed: bytes) -> list[Any]:
    """The documents in a JSON or JSON lines file."""
    return [json.loads(line) for line in seed.splitlines()]


def _json_lines(documents: list[Any]) -> bytes:
    return b"\n".join(json.dumps(item).encode() for item in documents) + b"\n"


def _replaced_documents(seed: bytes) -> Iterator[bytes]:
    """Each odd value in every path of a document, and documents that are not objects."""
    documents = _documents(seed)
    for path in _paths(documents):
        for value in _ODD:
            yield _json_lines(_replace_at(documents, path, value))
        for depth in (200, _DEEP, 100_000):
            template = _json_lines(_replace_at(documents, path, "HERE"))
            yield template.replace(b'"HERE"', b"[" * depth + b"]" * depth)
    yield from (b"\xef\xbb\xbf" + seed, seed.decode().encode("utf-16"), b"\xff" + seed, b"1" * 5000 + b"\n", b"\0")


def _paths(value: Any, prefix: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of keys and indices to every value inside a document."""
    if prefix:
        yield prefix
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _paths(item, (*prefix, key))


def _replace_at(documents: list[Any], path: tuple[Any, ...], value: Any) -> list[Any]:
    """A copy with another value at this path, or without it if `value` is _GONE."""
    result = inner = copy.deepcopy(documents)
    for key in path[:-1]:
        inner = inner[key]
    if value is _GONE:
        del inner[path[-1]]
    else:
        inner[path[-1]] = copy.deepcopy(value)
    return result


def try_generated(seed: bytes, examples: int, try_it: Callable[[bytes], None]) -> None:
    """Call `try_it` on documents that Hypothesis derives from a valid one, with up to three values or keys changed."""
    documents = _documents(seed)
    paths = list(_paths(documents))
    keys = st.sampled_from(sorted({str(key) for path in paths for key in path})) | st.text(max_size=4)
    plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | keys
    values = st.recursive(
        plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=6
    )

    @settings(
        max_examples=examples, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(st.lists(st.tuples(st.sampled_from(paths), st.just(_GONE) | values), min_size=1, max_size=3), st.booleans())
    def one(changes: list[tuple[Any, Any]], cut: bool) -> None:
        changed = documents
        for path, value in changes:
            try:
                changed = _replace_at(changed, path, value)
            except (KeyError, IndexError, TypeError):
                continue  # an earlier change removed this path
        content = _json_lines(changed)
        try_it(content[: len(content) // 2] if cut and len(changes) == 3 else content)

    one()
