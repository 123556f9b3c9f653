"""`stage.json`, the record of a stage: its settings, inputs, outputs, results and library versions."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.metadata
import os
import platform
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path, PurePath
from typing import Any, Literal, TypeVar

from convnet_core.common.dataclass_json import dataclass_from_json
from convnet_core.common.files import digest, read_json
from convnet_core.errors import RunError, one_line
from convnet_core.language import _
from convnet_core.runs.stage_folders import ABSENT

_Result = TypeVar("_Result")
_PACKAGES = ("torch", "onnx", "onnxscript", "onnxruntime", "onnx-tf", "tensorflow", "ai-edge-litert", "numpy")
_MAX_CACHED = 500  # more than the stages of all runs on the home page


@dataclass(frozen=True, kw_only=True)
class StageRecord:
    """The content of `stage.json`.

    Read `result` with `result_as`. `inputs` maps a path relative to the run (`train/model.safetensors`), or the name of
    something outside the run, to a SHA-256; `outputs` maps a path relative to the stage's folder to
    `{sha256, bytes, mtime_ns}`.
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
        """Raises TypeError if an output lacks a value that its stage's state depends on."""
        required = {"sha256": str, "bytes": int, "mtime_ns": int}
        for name, output in self.outputs.items():
            if any(type(output.get(key)) is not kind for key, kind in required.items()):
                raise TypeError(f"the output {name!r} needs {', '.join(required)}")

    @property
    def used_conversion(self) -> bool:
        """Whether the stage used any conversion: one that is added later leaves what it says of the others true."""
        return any(name.startswith("convert/") and value != ABSENT for name, value in self.inputs.items())

    def result_as(self, kind: type[_Result]) -> _Result:
        """The result of the stage as a dataclass of `stage_results`, which may leave out some of what was recorded.

        Raises RunError if the record lacks a value or has one of another type.
        """
        names = {item.name for item in dataclasses.fields(kind)}  # type: ignore[arg-type]
        try:
            return dataclass_from_json(kind, {name: value for name, value in self.result.items() if name in names})
        except (TypeError, OverflowError) as error:
            raise RunError(
                _("the record of the stage {stage} is damaged: {reason}", stage=self.stage, reason=one_line(error)),
                hint=_("run the stage {stage} again", stage=self.stage),
            ) from error


_cache: dict[Path, tuple[tuple[int, int, int], StageRecord]] = {}


def read_record(path: Path) -> StageRecord:
    """Read a `stage.json`. The result is cached until the file changes; callers must not modify it.

    The cache has one entry per path, since a checkpoint's record is rewritten often. Raises OSError, and ValueError,
    TypeError or OverflowError if the file is damaged.
    """
    stat = path.stat()
    version = stat.st_ino, stat.st_size, stat.st_mtime_ns
    cached = _cache.get(path)
    if cached is None or cached[0] != version:
        record = dataclass_from_json(StageRecord, read_json(path))
        if outside := [name for name in record.outputs if not _stays_inside(name)]:
            raise ValueError(f"{outside[0]!r} leads out of the stage's folder")
        if len(_cache) >= _MAX_CACHED:
            _cache.clear()
        cached = _cache[path] = version, record
    return cached[1]


def _stays_inside(name: str) -> bool:
    """Whether a relative path stays inside its folder."""
    return not PurePath(name).is_absolute() and ".." not in PurePath(name).parts


@dataclass(frozen=True)
class StageState:
    """`missing`, `fresh`, or `stale` with a reason."""

    state: Literal["missing", "fresh", "stale"]
    reason: str = ""


@dataclass
class Draft:
    """A stage's folder while it is being written: write files to `path`, and results and inputs to the other fields."""

    path: Path
    result: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=lambda: versions())


def current_digest(path: Path, recorded: dict[str, Any] | None) -> str:
    """A file's digest; the recorded one if the size and the modification time are unchanged."""
    try:
        stat = path.stat()
        if recorded and (stat.st_size, stat.st_mtime_ns) == (recorded["bytes"], recorded["mtime_ns"]):
            return str(recorded["sha256"])
        return digest(path)
    except (OSError, ValueError):  # missing, a folder, or an invalid file name
        return ""


def outputs_of(folder: Path) -> dict[str, dict[str, Any]]:
    """Flush all files of a stage's folder to disk; what `StageRecord.outputs` records of them."""
    outputs = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
            stat = path.stat()
            outputs[path.relative_to(folder).as_posix()] = {
                "sha256": digest(path),
                "bytes": stat.st_size,
                "mtime_ns": stat.st_mtime_ns,
            }
    return outputs


def now() -> str:
    """The current time in UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def versions() -> dict[str, str]:
    """The versions of Python and of the libraries that affect results; does not import them."""
    return dict(_versions())


@cache
def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return versions
