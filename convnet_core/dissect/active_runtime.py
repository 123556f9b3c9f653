"""Which runtime is at work. It stands in a file, which is there after the process has died."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

_LONGEST = 200
_file: int | None = None


def note_in(path: Path) -> None:
    """Write down in this file, from now on, who is at work."""
    global _file
    if _file is not None:
        os.close(_file)
    _file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)


def noted_in(path: Path) -> str:
    """The runtime that was at work last, "" for none."""
    return path.read_text(encoding="utf-8").strip() if path.exists() else ""


@contextlib.contextmanager
def at_work(runtime: str) -> Iterator[None]:
    """While a runtime of this name does something."""
    _note(runtime)
    try:
        yield
    finally:
        _note("")


def _note(runtime: str) -> None:
    if _file is not None:
        os.pwrite(_file, runtime.ljust(_LONGEST).encode(), 0)
