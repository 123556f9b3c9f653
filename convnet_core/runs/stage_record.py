"""What `stage.json` holds: what was done, from what, with which libraries, and what came out."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path, PurePath
from typing import Any, Literal

from convnet_core.common.dataclass_json import dataclass_from_json
from convnet_core.common.files import digest, read_json

_PACKAGES = ("torch", "onnx", "onnxscript", "onnxruntime", "onnx-tf", "tensorflow", "ai-edge-litert", "numpy")
_MOST_KEPT = 500  # more than the runs that Home shows have


@dataclass(frozen=True, kw_only=True)
class StageRecord:
    """`stage.json`: what was done, from what, with which libraries, and what came out.

    `inputs` maps a path inside the run (`train/model.safetensors`), or a name of something outside
    it, to a SHA-256; `outputs` maps a path inside the stage's folder to `{sha256, bytes, mtime_ns}`.
    """

    stage: str
    created: str
    seconds: float
    config: dict[str, Any]
    result: dict[str, Any]
    inputs: dict[str, str]
    outputs: dict[str, dict[str, Any]]
    versions: dict[str, str]

    def __post_init__(self) -> None:
        """Raises TypeError where an output lacks what its state is told by."""
        known = {"sha256": str, "bytes": int, "mtime_ns": int}
        for name, output in self.outputs.items():
            if any(type(output.get(key)) is not kind for key, kind in known.items()):
                raise TypeError(f"the output {name!r} has no {', '.join(known)}")


_kept: dict[Path, tuple[tuple[int, int, int], StageRecord]] = {}


def read_record(path: Path) -> StageRecord:
    """A `stage.json`, shared: nobody writes to it. Read again only when its file is another one or has changed.

    The newest alone is kept: a checkpoint's is written again and again. Raises OSError, or ValueError, TypeError or
    OverflowError where the file is damaged.
    """
    stat = path.stat()
    version = stat.st_ino, stat.st_size, stat.st_mtime_ns
    kept = _kept.get(path)
    if kept is None or kept[0] != version:
        record = dataclass_from_json(StageRecord, read_json(path))
        if led := [name for name in record.outputs if not _inside(name)]:
            raise ValueError(f"{led[0]!r} leads out of the stage's folder")
        if len(_kept) >= _MOST_KEPT:
            _kept.clear()
        kept = _kept[path] = version, record
    return kept[1]


def _inside(name: str) -> bool:
    """Whether a path in a record stays in the folder that it is relative to."""
    return not PurePath(name).is_absolute() and ".." not in PurePath(name).parts


@dataclass(frozen=True)
class StageState:
    """`missing`, `fresh`, or `stale` with the reason in words."""

    state: Literal["missing", "fresh", "stale"]
    reason: str = ""


@dataclass
class Draft:
    """A stage's folder while it is written: `path` to write into, and what to record."""

    path: Path
    result: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=lambda: versions())


def outputs_of(folder: Path) -> dict[str, dict[str, Any]]:
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
            stat = path.stat()
            found[path.relative_to(folder).as_posix()] = {
                "sha256": digest(path),
                "bytes": stat.st_size,
                "mtime_ns": stat.st_mtime_ns,
            }
    return found


def now() -> str:
    """The time in UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def versions() -> dict[str, str]:
    """The versions of Python and of the libraries that decide a result, without importing them."""
    return dict(_versions())


@cache
def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found
