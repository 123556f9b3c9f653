"""What `stage.json` holds: what was done, from what, with which libraries, and what came out."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal

from convnet_core.files import digest

_PACKAGES = ("torch", "onnx", "onnxscript", "onnxruntime", "onnx-tf", "tensorflow", "ai-edge-litert", "numpy")


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


@dataclass(frozen=True)
class StageState:
    """`missing`, `fresh`, or `stale` with the reason in words."""

    state: Literal["missing", "fresh", "stale"]
    reason: str = ""


@dataclass
class Draft:
    """A stage's folder while it is written: `path` to write into, `result` and `inputs` to record."""

    path: Path
    result: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)


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
