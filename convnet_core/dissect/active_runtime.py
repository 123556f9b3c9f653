"""Record which runtime is running, in a file that survives a crash of the process."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

_LONGEST = 200
_file: int | None = None


def start_recording(path: Path) -> None:
    """From now on, record the running runtime in this file."""
    global _file
    if _file is not None:
        os.close(_file)
    _file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)


def last_active(path: Path) -> str:
    """The runtime that the file names, "" for none."""
    return path.read_text(encoding="utf-8").strip() if path.exists() else ""


@contextlib.contextmanager
def active(runtime: str) -> Iterator[None]:
    """Record a runtime as running inside the `with` block."""
    _record(runtime)
    try:
        yield
    finally:
        _record("")


def _record(runtime: str) -> None:
    if _file is not None:
        os.pwrite(_file, runtime.ljust(_LONGEST).encode(), 0)
