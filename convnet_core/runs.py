"""A run is a folder; each stage has a folder in it that is complete or not there.

A stage writes into `<stage>.new-<id>`, its `stage.json` last; then the folder is swapped in by two
renames (`os.replace` onto a folder that is not empty fails):

    <stage>          -> <stage>.old-<id>
    <stage>.new-<id> -> <stage>

A swap that was cut off is finished, and leftovers are cleared, by whoever opens the run next and
gets its lock. `stage.json` holds the SHA-256 of every input and output, so that the state of a stage
(missing, fresh, stale) is derived and never stored.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.metadata
import logging
import os
import platform
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import filelock

from convnet_core.errors import BusyError, RunError
from convnet_core.files import digest, new_id, read_json, write_json

log = logging.getLogger(__name__)

STAGES = ("train", "export", "convert/onnx-tf", "compare")
"""The stages in their order, each named by its folder in the run."""

_PACKAGES = ("torch", "onnx", "onnxscript", "onnxruntime", "onnx-tf", "tensorflow", "ai-edge-litert", "numpy")
_LEFTOVER = re.compile(r"^(?P<stage>.+)\.(?P<kind>new|old)-(?P<id>[0-9a-f]+)$")
_NAME = re.compile(r"^\w[\w .+-]{0,99}$")


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


class Run:
    """One run's folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def name(self) -> str:
        return self.path.name

    @classmethod
    def create(cls, path: Path, title: str = "", kind: Literal["digits", "model"] = "digits") -> Run:
        """Make a run's folder, or give an empty folder a `run.json`. Raises RunError where it cannot be."""
        try:
            path.mkdir(parents=True, exist_ok=True)
            if any(path.iterdir()):
                raise RunError(f"{path} is not empty and is no run", hint="name another folder with --run")
            write_json(path / "run.json", {"kind": kind, "title": title or path.name, "created": now()})
        except OSError as error:
            raise RunError(f"cannot make the run {path}: {error.strerror}") from error
        return cls(path.resolve())

    @classmethod
    def open(cls, path: Path) -> Run:
        """Open a run; a swap that was cut off is finished first. Raises RunError where there is none."""
        run = cls(path.resolve())
        if not (run.path / "run.json").is_file():
            raise RunError(
                f"{path} is not a run: it has no run.json", hint="`python -m convnet_core runs` lists the runs"
            )
        if run._leftovers():
            with contextlib.suppress(BusyError), run.lock(timeout=0):
                run.recover()
        return run

    @property
    def info(self) -> dict[str, Any]:
        """`run.json`. Raises RunError where it cannot be read."""
        try:
            value = read_json(self.path / "run.json")
        except (OSError, ValueError) as error:
            raise RunError(f"{self.path / 'run.json'} cannot be read: {error}") from error
        if not isinstance(value, dict):
            raise RunError(f"{self.path / 'run.json'} does not hold a JSON object")
        return value

    @contextlib.contextmanager
    def lock(self, timeout: float = 2.0) -> Iterator[None]:
        """Hold the run for writing; raises BusyError after `timeout` seconds.

        The operating system lets go of the lock when the process dies, however it dies.
        """
        try:
            with filelock.FileLock(self.path / ".lock", timeout=timeout):
                yield
        except filelock.Timeout as error:
            raise BusyError(
                f"another job is at work on the run {self.name}", hint="wait for it, stop it, or choose another --run"
            ) from error

    # -- writing ------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def writing(self, stage: str, config: Mapping[str, Any], inputs: tuple[str, ...] = ()) -> Iterator[Draft]:
        """A new folder for a stage, swapped in when the block ends well and removed when it does not.

        `inputs` are paths inside the run; their digests are taken now, before the work.
        The caller holds the run's lock.
        """
        target = self.path / stage
        mark = new_id()
        new = target.with_name(f"{target.name}.new-{mark}")
        old = target.with_name(f"{target.name}.old-{mark}")
        began = time.monotonic()
        try:
            new.mkdir(parents=True)
            draft = Draft(new, inputs={name: digest(self.path / name) for name in inputs})
            yield draft
            record = StageRecord(
                stage=stage,
                created=now(),
                seconds=round(time.monotonic() - began, 3),
                config=dict(config),
                result=draft.result,
                inputs=draft.inputs,
                outputs=_outputs(new),
                versions=versions(),
            )
            write_json(new / "stage.json", dataclasses.asdict(record))
            if target.exists():
                os.replace(target, old)
            os.replace(new, target)
            shutil.rmtree(old, ignore_errors=True)
        except OSError as error:
            raise RunError(f"cannot write {target}: {error}") from error
        finally:
            if not old.exists():  # else the swap was cut between its renames: recover() needs the new folder
                shutil.rmtree(new, ignore_errors=True)

    def discard(self, stage: str) -> None:
        """Remove a stage's folder, so that it is whole until it is gone."""
        target = self.path / stage
        if target.exists():
            doomed = target.with_name(f"{target.name}.new-{new_id()}")
            os.replace(target, doomed)
            shutil.rmtree(doomed)

    def recover(self) -> None:
        """Finish or undo swaps that were cut off, and clear leftovers. The caller holds the run's lock."""
        for path, match in self._leftovers():
            target = path.with_name(match["stage"])
            if match["kind"] == "old" and not target.exists():
                new = path.with_name(f"{match['stage']}.new-{match['id']}")
                os.replace(new if (new / "stage.json").is_file() else path, target)
                log.info("finished a swap of %s that was cut off", target)
        for path, _ in self._leftovers():
            shutil.rmtree(path, ignore_errors=True)

    def _leftovers(self) -> list[tuple[Path, re.Match[str]]]:
        folders = [self.path, self.path / "convert"]
        paths = [path for folder in folders if folder.is_dir() for path in folder.iterdir() if path.is_dir()]
        return [(path, match) for path in paths if (match := _LEFTOVER.match(path.name))]

    # -- reading ------------------------------------------------------------------------------------

    def record(self, stage: str) -> StageRecord | None:
        """What `stage.json` says; None where the stage is missing. Raises RunError where it is damaged."""
        path = self.path / stage / "stage.json"
        for _ in range(20):
            try:
                value = read_json(path)
                return StageRecord(**value)
            except FileNotFoundError:
                # A writer may stand between its two renames: microseconds, then the folder is there.
                if not list(path.parent.parent.glob(f"{path.parent.name}.old-*")):
                    return None
                time.sleep(0.01)
            except (OSError, ValueError, TypeError) as error:
                raise RunError(f"{path} is damaged: {error}", hint=f"run the stage {stage} again") from error
        return None

    def need(self, stage: str) -> StageRecord:
        """The record of a stage that the next one stands on. Raises RunError where it is missing."""
        record = self.record(stage)
        if record is None:
            command = stage.split("/")[0]
            raise RunError(
                f"the run {self.name} has no {stage} yet",
                hint=f"first: python -m convnet_core {command} --run {self.path}",
            )
        return record

    def state(self, stage: str) -> StageState:
        """Derived from the digests: stale when an input, or anything before it, has changed since."""
        try:
            record = self.record(stage)
        except RunError as error:
            return StageState("stale", str(error))
        if record is None:
            return StageState("missing")
        for name, recorded in record.outputs.items():
            if self._digest(self.path / stage / name, recorded) != recorded["sha256"]:
                return StageState("stale", f"{stage}/{name} is not what the stage wrote")
        for name, recorded_digest in record.inputs.items():
            before = next((other for other in STAGES if name.startswith(other + "/")), None)
            if before is None:
                continue  # something outside the run: noted, not watched
            upstream = self.record(before)
            if upstream is None:
                return StageState("stale", f"{before} is no longer there")
            known = upstream.outputs.get(name.removeprefix(before + "/"))
            if self._digest(self.path / name, known) != recorded_digest:
                return StageState("stale", f"{name} has changed since")
            if self.state(before).state == "stale":
                return StageState("stale", f"{before} is stale")
        return StageState("fresh")

    @staticmethod
    def _digest(path: Path, recorded: dict[str, Any] | None) -> str:
        """The digest of a file, taken from the record where size and time say that it is unchanged."""
        try:
            stat = path.stat()
        except OSError:
            return ""
        if recorded and (stat.st_size, stat.st_mtime_ns) == (recorded["bytes"], recorded["mtime_ns"]):
            return str(recorded["sha256"])
        return digest(path)


def _outputs(folder: Path) -> dict[str, dict[str, Any]]:
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
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


# -- many runs --------------------------------------------------------------------------------------


def runs_root() -> Path:
    """Where runs live: $CONVNET_RUNS_DIR, else `runs/` in the working folder."""
    return Path(os.environ.get("CONVNET_RUNS_DIR") or "runs")


def list_runs(root: Path) -> list[Run]:
    """The runs under a root, the newest first."""
    if not root.is_dir():
        return []
    found = []
    for path in root.iterdir():
        if not path.name.startswith(".") and (path / "run.json").is_file():
            try:
                run = Run.open(path)
                found.append((str(run.info.get("created", "")), run.name, run))
            except RunError as error:
                log.warning("%s", error)
    return [run for *_, run in sorted(found, key=lambda item: item[:2], reverse=True)]


def new_run(root: Path, label: str, title: str = "") -> Run:
    """Make a run under the root, named by the time and a label."""
    stem = f"{datetime.now():%Y%m%d-%H%M%S}-{re.sub(r'[^A-Za-z0-9]+', '-', label).strip('-') or 'run'}"
    for suffix in ("", *(f"-{number}" for number in range(2, 100))):
        path = root / (stem + suffix)
        with contextlib.suppress(FileExistsError):
            try:
                path.mkdir(parents=True)
            except FileExistsError:
                raise
            except OSError as error:
                raise RunError(f"cannot make a run in {root}: {error.strerror}") from error
            return Run.create(path, title)
    raise RunError(f"cannot find a free name for a run in {root}")


def rename_run(run: Run, name: str) -> Run:
    """Give a run's folder another name beside it. Raises RunError where the name will not do."""
    if not _NAME.match(name):
        raise RunError(f"{name!r} will not do as a name", hint="letters, digits, space and . _ + -, at most 100")
    target = run.path.with_name(name)
    with run.lock():
        if target.exists():
            raise RunError(f"there is a run {name} already")
        os.rename(run.path, target)
    return Run(target)


def delete_run(run: Run) -> None:
    """Remove a run; it disappears at once, then its files are removed."""
    with run.lock():
        doomed = run.path.with_name(f".deleted-{new_id()}")
        os.rename(run.path, doomed)
    shutil.rmtree(doomed, ignore_errors=True)
