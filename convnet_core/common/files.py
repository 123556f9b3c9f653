"""File helpers: folders, digests, atomic writes, JSON."""

from __future__ import annotations

import errno
import functools
import hashlib
import json
import os
import stat
import uuid
from io import BufferedReader
from pathlib import Path
from typing import Any

from convnet_core.language import _

_MAX_JSON = 64_000_000  # bytes; the largest file that this project writes, a graph of 50,000 nodes, has about 25 MB
_MAX_DEPTH = 100  # nested lists and objects; this project's files nest about 10 deep


def cache_folder() -> Path:
    """The folder of data sets and locks: $CONVNET_CACHE_DIR, else the user's cache folder."""
    chosen = os.environ.get("CONVNET_CACHE_DIR")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "convnet"


def runs_root() -> Path:
    """The folder of all runs: $CONVNET_RUNS_DIR, else `runs/` in the working directory."""
    return Path(os.environ.get("CONVNET_RUNS_DIR") or "runs")


def new_id() -> str:
    """A random name of 8 hex digits."""
    return uuid.uuid4().hex[:8]


def size_of(path: Path) -> int:
    """The size in bytes of a file, or of all files in a folder."""
    return (
        sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) if path.is_dir() else path.stat().st_size
    )


def digest(path: Path) -> str:
    """SHA-256 of a file as hex, cached until the file's size or modification time changes.

    Raises OSError if the file is missing or not a regular file: a device or a pipe may be endless.
    """
    status = path.stat()
    return _digest(path, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=4096)
def _digest(path: Path, size: int, mtime_ns: int) -> str:
    with open_regular_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def open_regular_file(path: Path) -> BufferedReader:
    """Open a regular file for reading. Raises OSError for a device or a pipe, which could block or be endless."""
    file = os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, _("not a regular file"), str(path))
    return file


def read_json(path: Path) -> Any:
    """The content of a JSON file. Raises OSError or ValueError."""
    with open_regular_file(path) as file:
        content = file.read(_MAX_JSON + 1)
    if len(content) > _MAX_JSON:
        raise ValueError(_("it is larger than the limit of {limit} MB", limit=_MAX_JSON // 10**6))
    return parse_json(content)


def parse_json(content: bytes) -> Any:
    """Parse JSON in UTF-8. Raises ValueError, also for JSON nested so deeply that recursive code would fail on it."""
    try:
        value = json.loads(content.decode("utf-8"))
    except RecursionError as error:
        raise ValueError(_too_deep()) from error
    level = [value] if isinstance(value, dict | list) else []
    for _level in range(_MAX_DEPTH):
        items = (item for parent in level for item in (parent.values() if isinstance(parent, dict) else parent))
        level = [item for item in items if isinstance(item, dict | list)]
        if not level:
            return value
    raise ValueError(_too_deep())


def _too_deep() -> str:
    return _("its lists and objects are nested more than {limit} deep", limit=_MAX_DEPTH)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file atomically. Raises ValueError for NaN and infinity, which JSON lacks."""
    write_atomic(path, (json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False) + "\n").encode())


def write_atomic(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write a file atomically: readers see the old content or the new content.

    Also after a crash of the machine if `durable`, which waits for the disk.
    """
    draft = path.with_name(f".{path.name}.{new_id()}")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
