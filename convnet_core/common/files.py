"""Small things about files that several modules need: folders, digests, whole writes, JSON."""

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

_MOST_JSON = 64_000_000  # bytes; the largest of ours, the graph of 50,000 nodes, has some 25 MB
_DEEPEST = 100  # lists and objects in each other; ours are some 10 deep


def cache_folder() -> Path:
    """Where data sets and locks live: $CONVNET_CACHE_DIR, else the user's cache folder."""
    chosen = os.environ.get("CONVNET_CACHE_DIR")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "convnet"


def runs_root() -> Path:
    """Where runs live: $CONVNET_RUNS_DIR, else `runs/` in the working folder."""
    return Path(os.environ.get("CONVNET_RUNS_DIR") or "runs")


def new_id() -> str:
    """A short random name."""
    return uuid.uuid4().hex[:8]


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    return (
        sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) if path.is_dir() else path.stat().st_size
    )


def digest(path: Path) -> str:
    """SHA-256 of a file as hex; read again only when its size or its time of change differ.

    Raises OSError where it is not there, and where it is no file: a device or a pipe may have no end.
    """
    found = path.stat()
    return _digest(path, found.st_size, found.st_mtime_ns)


@functools.lru_cache(maxsize=4096)
def _digest(path: Path, size: int, mtime_ns: int) -> str:
    with open_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def open_file(path: Path) -> BufferedReader:
    """A file to read from. Raises OSError where it is none: a device or a pipe may have no end, or no beginning."""
    file = os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "no regular file", str(path))
    return file


def read_json(path: Path) -> Any:
    """What a JSON file holds. Raises OSError or ValueError."""
    with open_file(path) as file:
        content = file.read(_MOST_JSON + 1)
    if len(content) > _MOST_JSON:
        raise ValueError(f"it is larger than the {_MOST_JSON // 10**6} MB that are read")
    return parse_json(content)


def parse_json(content: bytes) -> Any:
    """What JSON in UTF-8 says. Raises ValueError, also where it is nested so deeply that nothing could walk it."""
    too_deep = f"lists and objects in it are nested more than {_DEEPEST} deep"
    try:
        value = json.loads(content.decode("utf-8"))
    except RecursionError as error:
        raise ValueError(too_deep) from error
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(_DEEPEST):
        inside = (item for held in level for item in (held.values() if isinstance(held, dict) else held))
        level = [item for item in inside if isinstance(item, dict | list)]
        if not level:
            return value
    raise ValueError(too_deep)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file whole or not at all; NaN and infinity are refused, as JSON has neither."""
    write_whole(path, (json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False) + "\n").encode())


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a reader, or a crash, meets the old content or the new one."""
    draft = path.with_name(f".{path.name}.{new_id()}")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
